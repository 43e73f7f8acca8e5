"""Look whether a picture that was kept is still what was kept.

In: its hash and size, and how far to look. Out: yes or no; a decode would not tell, for it accepts zeroed bytes in the
middle of a picture.
"""

from geolocate.collection.records import Verify
from geolocate.storage import DataRoot, sha256_of_file


def is_intact(root: DataRoot, sha256: str, size: int, verify: Verify) -> bool:
    """Say whether the store has the picture: by its word, by its size, or by every byte."""
    if verify == "none":
        return True
    if not root.has_image(sha256, size):
        return False
    return verify == "size" or sha256_of_file(root.image(sha256)) == sha256
