"""Networks of libraries as backbones, each under `library:model`."""
