import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from geolocate.training.live_curves import telling_epochs, tensorboard_epochs


@pytest.fixture
def run(tmp_path):
    """A run's folder, and what appends an epoch to its curves."""
    rows = []

    def epoch(loss):
        rows.append({"epoch": len(rows) + 1, "train_loss": loss, "val_loss": 2 * loss})
        pd.DataFrame(rows).to_csv(tmp_path / "curves.csv", index=False)

    return tmp_path, epoch


def test_each_epoch_is_told_once_and_progress_goes_on(run):
    folder, epoch = run
    told, stages = [], []
    report = telling_epochs(folder, told.append, lambda *stage: stages.append(stage))
    report("features", 3, 9)
    for number in (1, 2):
        epoch(1 / number)
        report("epochs", number, 5)
    assert [(row["epoch"], row["val_loss"]) for row in told] == [(1, 2.0), (2, 1.0)]
    assert stages == [("features", 3, 9), ("epochs", 1, 5), ("epochs", 2, 5)]


def test_tensorboard_reads_every_epoch_once_also_after_an_interruption(run):
    folder, epoch = run
    for losses in ([4.0, 3.0], [2.0]):  # two processes: the second goes on with the run
        report = telling_epochs(folder, tensorboard_epochs(folder))
        for loss in losses:
            epoch(loss)
            report("epochs", 1, 9)
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"train_loss", "val_loss"}
    assert [(point.step, point.value) for point in events.Scalars("train_loss")] == [(1, 4.0), (2, 3.0), (3, 2.0)]


def test_a_finished_run_keeps_its_files(run):
    folder, epoch = run
    epoch(1.0)
    telling_epochs(folder, tensorboard_epochs(folder))("epochs", 1, 1)
    before = list((folder / "tensorboard").iterdir())
    telling_epochs(folder, tensorboard_epochs(folder))
    assert before == list((folder / "tensorboard").iterdir())
    assert len(before) == 1
