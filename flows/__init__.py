"""One Prefect flow a file; a flow reads as a sentence."""
