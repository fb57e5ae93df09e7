"""Weights that libraries publish: found where the libraries keep them, and fetched only when asked."""

from __future__ import annotations

import io

import pytest
import torch

from harness import api
from harness.backbones.cards import PYTORCHVIDEO, TIMM, TORCHVISION, TRANSFORMERS
from harness.backbones.libraries import stores
from harness.backbones.libraries.importing import import_library
from harness.backbones.libraries.stores import Repository, library_weights
from harness.errors import DataError, UsageError

R3D = "https://download.pytorch.org/models/r3d_18-b3b3357e.pth"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Empty caches of `torch.hub` and of the Hub; gives the folder of the former."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    pytest.importorskip("huggingface_hub")
    constants = import_library(TRANSFORMERS, "huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def in_hub(folder, name, file):
    """A repository in the Hub's cache that holds a file."""
    repository = folder / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    path = repository / "snapshots" / "abc" / file
    path.write_bytes(b"x")
    return path


def test_torchvisions_are_in_the_cache_of_torch(cache):
    with pytest.raises(UsageError, match=f"'torchvision:r3d_18' are not on this machine; .*--download.* from {R3D}"):
        library_weights("torchvision:r3d_18")
    path = cache / "r3d_18-b3b3357e.pth"
    path.write_bytes(b"x")
    assert library_weights("torchvision:r3d_18") == path
    assert library_weights("torchvision:r3d_18", "KINETICS400_V1") == path
    with pytest.raises(UsageError, match="did you mean 'KINETICS400_V1'"):
        library_weights("torchvision:r3d_18", "KINETICS400_V2")


def test_timms_are_in_the_cache_of_the_hub(cache, tmp_path):
    pytest.importorskip(TIMM.name)
    with pytest.raises(UsageError, match=r"from https://huggingface.co/timm/vit_small_patch16_224.dino"):
        library_weights("timm:vit_small_patch16_224.dino")
    path = in_hub(tmp_path, "timm/vit_small_patch16_224.dino", "model.safetensors")
    assert library_weights("timm:vit_small_patch16_224.dino") == path
    with pytest.raises(UsageError, match=r"one file of weights for 'resnet18'; expected .*, got tag 'V1'"):
        library_weights("timm:resnet18", "V1")
    with pytest.raises(UsageError, match="timm publishes no weights of 'test_vit4'"):
        library_weights("timm:test_vit4")


def test_pytorchvideos_are_those_of_its_model_zoo(cache):
    pytest.importorskip(PYTORCHVIDEO.name)
    path = cache / "SLOW_8x8_R50.pyth"
    path.write_bytes(b"x")
    assert library_weights("pytorchvideo:slow_r50") == path
    with pytest.raises(UsageError, match=r"from https://dl.fbaipublicfiles.com/.*/efficient_x3d_s_original_form.pyth"):
        library_weights("pytorchvideo:efficient_x3d_s")


def test_transformers_are_in_a_folder_or_the_hub(cache, tmp_path):
    pytest.importorskip(TRANSFORMERS.name)
    path = in_hub(tmp_path, "MCG-NJU/videomae-base", "pytorch_model.bin")
    assert library_weights("transformers:MCG-NJU/videomae-base") == path
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.safetensors").write_bytes(b"x")
    assert library_weights(f"transformers:{tmp_path}/mine") == tmp_path / "mine" / "model.safetensors"


def test_networks_of_our_own_have_no_published_weights():
    with pytest.raises(UsageError, match="'small_2d' is of no library that publishes weights"):
        library_weights("small_2d")


def test_a_file_is_fetched_when_asked_and_what_fails_is_one_line(cache, tmp_path, monkeypatch):
    source = tmp_path / "r3d_18-2d711642.pth"
    source.write_bytes(b"x")  # whose SHA-256 begins so
    address = stores.Address
    monkeypatch.setattr(stores, "Address", lambda url: address(source.as_uri()))
    assert library_weights("torchvision:r3d_18", download=True) == cache / source.name
    (cache / source.name).unlink()
    source.unlink()
    with pytest.raises(DataError, match="weights of 'torchvision:r3d_18' cannot be fetched from file:") as caught:
        library_weights("torchvision:r3d_18", download=True)
    assert "\n" not in str(caught.value)


def test_weights_of_torchvision_for_other_pixels_are_refused(cache):
    big = "IMAGENET1K_SWAG_E2E_V1"
    for size in (None, 224):
        with pytest.raises(UsageError, match=r"frames of 384 pixels, not 224; say `size: 384` in the options"):
            library_weights("torchvision:regnet_y_16gf", big, size=size)
    with pytest.raises(UsageError, match="normalised in another way than its others"):
        library_weights("torchvision:vgg16", "IMAGENET1K_FEATURES")
    for model, tag, size in (("regnet_y_16gf", big, 384), ("resnet50", "IMAGENET1K_V1", None), ("resnet50", "", 96)):
        with pytest.raises(UsageError, match="not on this machine"):
            library_weights(f"torchvision:{model}", tag, size=size)


@pytest.mark.parametrize(
    ("name", "length", "problem"),
    [("R50.pyth", "9", "5 of 9 bytes came"), ("r3d-b3b3357e.pth", None, "SHA-256 begins with 2d711642, not with b3")],
)
def test_a_file_that_is_cut_short_is_not_kept(cache, monkeypatch, name, length, problem):
    class Answer(io.BytesIO):
        headers = {} if length is None else {"Content-Length": length}

    monkeypatch.setattr(stores, "urlopen", lambda url: Answer(b"x" if length is None else b"xxxxx"))
    address = stores.Address(f"https://example.org/{name}")
    with pytest.raises(ValueError, match=problem):
        address.download()
    assert address.find() is None
    assert not [*cache.iterdir()]


@pytest.mark.parametrize(
    ("library", "model", "message"),
    [
        (TORCHVISION, "r3d_19", "unknown model of torchvision: 'r3d_19'; did you mean 'r3d_18'"),
        (PYTORCHVIDEO, "slow_r5", "unknown model of pytorchvideo: 'slow_r5'; did you mean 'slow_r50'"),
        (TIMM, "resnet_18", "unknown model of timm: 'resnet_18'; did you mean 'resnet18'"),
        (TIMM, "resnet18.a1_in", "unknown weights of timm:resnet18: 'a1_in'; did you mean 'a1_in1k'"),
    ],
)
def test_a_typo_is_one_line_with_the_nearest_names(cache, library, model, message):
    pytest.importorskip(library.name) if library is not TORCHVISION else None
    for download in (False, True):
        with pytest.raises(UsageError, match=message):
            library_weights(f"{library.name}:{model}", download=download)


def test_the_hub_is_asked_for_safetensors_first(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def download(name, file):
        asked.append((name, file))
        if file.endswith(".safetensors"):
            raise hub.errors.EntryNotFoundError("none")
        return f"/cache/{file}"

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert str(Repository("a/b").download()) == "/cache/pytorch_model.bin"
    assert asked == [("a/b", "model.safetensors"), ("a/b", "pytorch_model.bin")]


def test_a_repository_in_a_home_of_nobody_is_one_line():
    with pytest.raises(UsageError, match="~nobody-has-this-name/x: begins with a home folder of nobody"):
        Repository("~nobody-has-this-name/x").find()


def test_a_suite_measures_the_librarys_own_weights(cache, toy, tmp_path):
    models = import_library(TORCHVISION, "torchvision.models")
    suite = tmp_path / "s.yaml"
    suite.write_text("""
name: published
title: Published
frames: 512
methods: [{name: pretrained, weights: library, learnt_from: kinetics400, labels: true, ignore: [fc.]}]
backbones: [{name: torchvision:r3d_18, frames: 4, size: 32}]
pretraining: [blobs]
evaluators: [{name: knn, k: 5}]
seeds: [0]
""")
    with pytest.raises(UsageError, match="not on this machine"):
        api.plan(suite)
    state = models.get_model("r3d_18").state_dict()
    torch.save(state, cache / "r3d_18-b3b3357e.pth")
    (run,) = api.run(suite, download=True).runs  # it is here, so that nothing is fetched
    assert (run.status, run.starts[0].weights) == ("done", "r3d_18-b3b3357e.pth")
    assert run.identity.method.options["weights"] == "library"
    assert run.provenance["weights"]["r3d_18-b3b3357e.pth"]["ignored"] == "2 (fc.weight, fc.bias)"
    torch.save({name: tensor + 1 for name, tensor in state.items()}, cache / "r3d_18-b3b3357e.pth")
    (cell,) = api.plan(suite)
    assert cell.key != run.key


def test_a_videomae_that_was_saved_with_its_pretraining_head_is_measured(toy, tmp_path):
    pytest.importorskip(TRANSFORMERS.name)
    transformers = import_library(TRANSFORMERS, TRANSFORMERS.name)
    sizes = {"image_size": 32, "patch_size": 16, "num_frames": 4, "hidden_size": 32, "intermediate_size": 32}
    heads = {"num_hidden_layers": 2, "num_attention_heads": 2, "decoder_num_attention_heads": 2}
    decoder = {"decoder_num_hidden_layers": 1, "decoder_hidden_size": 32, "decoder_intermediate_size": 32}
    config = transformers.VideoMAEConfig(**sizes, **heads, **decoder)
    transformers.VideoMAEForPreTraining(config).save_pretrained(tmp_path / "mae")
    suite = tmp_path / "s.yaml"
    suite.write_text(f"""
name: published
title: Published
frames: 512
methods:
- name: pretrained
  weights: library
  learnt_from: nothing
  labels: false
  ignore: [mask_token, encoder_to_decoder., decoder.]
backbones: ["transformers:{tmp_path}/mae"]
pretraining: [blobs]
evaluators: [{{name: knn, k: 5}}]
seeds: [0]
""")
    (run,) = api.run(suite).runs
    assert run.status == "done", run.reason
    record = run.provenance["weights"]["model.safetensors"]
    assert record["loaded"].startswith("100.0 %")
    assert "missing" not in record
