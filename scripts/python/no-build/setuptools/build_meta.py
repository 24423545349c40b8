"""Answers pip's questions about metadata without looking into the package (PEP 517)."""

import os


class __legacy__:
    """The name pip takes for packages that have a setup.py and no pyproject.toml."""

    @staticmethod
    def get_requires_for_build_wheel(config_settings=None):
        return []

    @staticmethod
    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        name, version = os.environ["ESPALIER_SDIST"].split("==")
        folder = f"{name}-{version}.dist-info"
        os.makedirs(os.path.join(metadata_directory, folder))
        with open(os.path.join(metadata_directory, folder, "METADATA"), "w") as out:
            out.write(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        return folder
