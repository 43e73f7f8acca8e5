import pytest

from geolocate.dataset.versions import DatasetRef
from geolocate.errors import SettingsError
from geolocate.training import TrainConfig, config_from_options, default_run_name


def test_the_studys_recipe_is_the_one_published():
    study = TrainConfig.study()
    assert (study.image_encoder, study.text_encoder, study.pixels) == ("resnet50", "distilbert", 224)
    assert (study.lr_heads, study.lr_image, study.lr_text, study.weight_decay) == (1e-3, 1e-4, 1e-5, 1e-3)
    assert (study.schedule_patience, study.schedule_factor, study.dropout, study.projection) == (1, 0.8, 0.1, 256)
    assert (study.loss, study.temperature, study.batch_size, study.epochs) == ("study", 1.0, 32, 4)
    assert not study.freeze_image
    assert not study.freeze_text


def test_text_from_a_command_line_is_converted():
    config = config_from_options("default", {"lr_heads": "0.002", "freeze_text": "no", "epochs": 3})
    assert (config.lr_heads, config.freeze_text, config.epochs) == (0.002, False, 3)
    assert config_from_options("study", {"image_encoder": "resnet50=random"}).loss == "study"


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("default", {"epochs": 0}, "epochs 0: .*greater than or equal to 1"),
        ("default", {"batch_size": "many"}, "batch_size 'many': .*integer"),
        ("default", {"loss": "triplet"}, "loss 'triplet': .*'infonce' or 'study'"),
        ("default", {"learning_rate": 1}, "unknown option 'learning_rate': choose among image_encoder"),
        ("best", {}, "unknown recipe 'best': choose one of default, study"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(recipe, options, message):
    with pytest.raises(SettingsError, match=message) as caught:
        config_from_options(recipe, options)
    assert "\n" not in str(caught.value)


def test_another_configuration_gets_another_name():
    ref = DatasetRef("uk-cities-50", "0123456789ab", "0123456789ab" * 5 + "0123")
    names = {
        default_run_name(ref, config)
        for config in (TrainConfig(), TrainConfig(seed=1), TrainConfig(lr_heads=2e-3), TrainConfig())
    }
    assert len(names) == 3
    assert default_run_name(ref, TrainConfig()).startswith("uk-cities-50-01234567-infonce-s0-")
