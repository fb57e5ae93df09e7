"""Networks of transformers: from folders without a network, its own numbers, pixels as its processors give them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from harness.backbones.cards import TRANSFORMERS
from harness.backbones.libraries.importing import import_library
from harness.backbones.libraries.transformers import Transformers
from harness.backbones.start import Start
from harness.backbones.weights import load_weights
from harness.errors import UsageError
from harness.plugins.manager import Plugins
from harness.testing import conformance
from harness.video.transforms import normalise

transformers = import_library(TRANSFORMERS, "transformers")

HEADS = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
TINY = {**HEADS, "intermediate_size": 32}
PREDICTOR = {f"pred_{name}": number for name, number in HEADS.items()}
VIDEOS = {
    "videomae": {**TINY, "image_size": 32, "num_frames": 4},
    "timesformer": {**TINY, "image_size": 32, "num_frames": 4},
    "vivit": {**TINY, "image_size": 32, "num_frames": 4},
    "vjepa2": {**HEADS, **PREDICTOR, "crop_size": 32, "frames_per_clip": 4, "mlp_ratio": 2.0},
}
IMAGES = {
    "dinov2_with_registers": {**HEADS, "image_size": 28, "num_register_tokens": 3},
    "vit": {**TINY, "image_size": 32},
    "convnext": {"hidden_sizes": [4, 8, 12, 24], "depths": [1, 1, 1, 1], "image_size": 32},
}


@conformance(
    *(Transformers(model, **options) for model, options in VIDEOS.items()),
    *(Transformers(model, frames=2, **options) for model, options in IMAGES.items()),
)
def test_conformance(check):
    check()


def saved(folder, model, options, processor=None):
    """A folder as the Hub has them: a configuration, and a processor."""
    folder.mkdir()
    transformers.AutoConfig.for_model(model, **options).save_pretrained(folder)
    if processor is not None:
        name = "video_preprocessor_config.json" if "video_processor_type" in processor else "preprocessor_config.json"
        (folder / name).write_text(json.dumps(processor))
    return str(folder)


def clips(backbone, count=2):
    view = backbone.inputs.view
    random = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, view.frames, view.size, view.size, generator=random)


def own(folder, network):
    """What the library itself builds from the folder, with the weights of our network."""
    model = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(folder)).eval()
    missing, unexpected = model.load_state_dict(network.state_dict(), strict=False)
    assert not unexpected
    return model, missing


@pytest.mark.parametrize(
    ("model", "missing", "pooled"),
    [
        ("videomae", set(), lambda tokens: tokens.mean(1)),
        ("timesformer", set(), lambda tokens: tokens[:, 0]),
        ("vivit", {"pooler"}, lambda tokens: tokens[:, 0]),
        ("vjepa2", {"predictor"}, lambda tokens: tokens.mean(1)),
    ],
)
def test_a_folder_is_enough_for_a_video_network(tmp_path, model, missing, pooled):
    folder = saved(tmp_path / "model", model, VIDEOS[model])
    backbone = Transformers(folder)
    network = backbone.build(seed=0).eval()
    reference, absent = own(folder, network)
    assert {name.split(".")[0] for name in absent} == missing
    with torch.inference_mode():
        wanted = pooled(reference(clips(backbone).transpose(1, 2)).last_hidden_state)
        assert torch.allclose(network(clips(backbone)), wanted, atol=1e-5)
    assert backbone.card.dim == 24
    assert len(backbone.card.layers) == 2
    assert backbone.card.tokens


@pytest.mark.parametrize(
    ("pool", "over_time", "pooled"),
    [
        (None, "mean", lambda tokens: tokens[:, :, 0].mean(1)),
        ("mean", "mean", lambda tokens: tokens[:, :, 4:].mean((1, 2))),
        ("class", "sequence", lambda tokens: tokens[:, :, 0]),
    ],
)
def test_a_folder_is_enough_for_an_image_network(tmp_path, pool, over_time, pooled):
    folder = saved(tmp_path / "model", "dinov2_with_registers", IMAGES["dinov2_with_registers"])
    backbone = Transformers(folder, frames=3, pool=pool, over_time=over_time)
    network = backbone.build(seed=0).eval()
    reference, absent = own(folder, network)
    assert set(absent) == {"embeddings.mask_token"}
    batch = clips(backbone)
    with torch.inference_mode():
        tokens = torch.stack([reference(frame).last_hidden_state for frame in batch.unbind(2)], dim=1)
        assert torch.allclose(network(batch), pooled(tokens), atol=1e-5)
    assert backbone.card.layers == ("encoder.layer.0", "encoder.layer.1")


def test_a_network_of_images_and_texts_gives_the_one_of_images():
    card = Transformers("clip", size=32, **TINY).card
    assert (card.dim, card.layers) == (24, ("encoder.layers.0", "encoder.layers.1"))


VIDEOMAE = {
    "image_processor_type": "VideoMAEImageProcessor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "size": {"shortest_edge": 36},
    "crop_size": {"height": 32, "width": 32},
    "do_center_crop": True,
}
VIVIT = {**VIDEOMAE, "image_processor_type": "VivitImageProcessor", "offset": True, "rescale_factor": 1 / 127.5}
VJEPA2 = {**VIDEOMAE, "video_processor_type": "VJEPA2VideoProcessor", "image_mean": [0.4, 0.3, 0.2]}
VIT = {"image_processor_type": "ViTImageProcessor", "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 32}
CROPPED = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
CONVNEXT = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}, "crop_pct": 0.875}
LEVIT = {"image_processor_type": "LevitImageProcessor", **CROPPED}
MOBILEVIT = {"image_processor_type": "MobileViTImageProcessor", **CROPPED}
EFFICIENTNET = {"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 32, "width": 32}}


@pytest.mark.parametrize(
    ("model", "said", "short_side"),
    [
        *[("videomae", VIDEOMAE, 36), ("vivit", VIVIT, 36), ("vjepa2", VJEPA2, 36), ("vit", VIT, 32)],
        *[("vit", CONVNEXT, 36), ("vit", LEVIT, 36), ("vit", MOBILEVIT, 32), ("vit", EFFICIENTNET, 32)],
        ("vit", {**EFFICIENTNET, "include_top": False, "rescale_offset": True, "rescale_factor": 1 / 127.5}, 32),
    ],
)
def test_pixels_are_those_of_the_processor(tmp_path, model, said, short_side):
    folder = saved(tmp_path / "model", model, {**VIDEOS, **IMAGES}[model], said)
    inputs = Transformers(folder).inputs
    assert (inputs.view.size, inputs.view.short_side) == (32, short_side)
    pixels = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    auto = transformers.AutoImageProcessor if model == "vit" else transformers.AutoVideoProcessor
    processor = auto.from_pretrained(folder, do_resize=False, do_center_crop=False)
    (wanted,) = processor([*pixels] if model == "vit" else pixels, return_tensors="pt").values()
    assert torch.allclose(
        normalise(pixels.transpose(0, 1)[None], inputs)[0].transpose(0, 1), wanted.squeeze(0), atol=1e-5
    )


def test_sizes_and_frames_are_the_configurations(tmp_path):
    folder = saved(tmp_path / "model", "videomae", VIDEOS["videomae"], VIDEOMAE)
    view = Transformers(folder, stride=2).inputs.view
    assert (view.frames, view.stride, view.size) == (4, 2, 32)
    other = Transformers(folder, frames=6, size=48).inputs.view
    assert (other.frames, other.size, other.resize) == (6, 48, 54)
    assert Transformers("vit", **IMAGES["vit"]).inputs.view.frames == 8
    assert replace(Transformers("vit").inputs, view=view).mean == (0.485, 0.456, 0.406)


def test_what_a_folder_says_is_part_of_the_key(tmp_path):
    registry = Plugins(points=[]).backbones
    folder = saved(tmp_path / "model", "videomae", VIDEOS["videomae"], VIDEOMAE)
    name = f"transformers:{folder}"
    key = registry.completed(name, {})
    assert registry.canonical(name, {"hidden_dropout_prob": 0.1, "stride": 4}) == {"hidden_dropout_prob": 0.1}
    config = tmp_path / "model" / "config.json"
    written = json.loads(config.read_text())

    def changed(**said):
        config.write_text(json.dumps({**written, **said}))
        return Plugins(points=[]).backbones.completed(name, {})

    assert changed(transformers_version="4.0.0") == key
    assert changed(qkv_bias=False) != key
    assert "content" not in registry.completed("transformers:vit", IMAGES["vit"])


def test_a_name_of_the_hub_is_taken_from_the_local_cache(tmp_path, monkeypatch):
    hub = import_library(TRANSFORMERS, "huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--tiny-videomae"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123")
    (repository / "snapshots").mkdir()
    saved(repository / "snapshots" / "0123", "videomae", VIDEOS["videomae"])
    assert Transformers("somebody/tiny-videomae").card.name == "transformers.tiny-videomae"
    with pytest.raises(UsageError, match=r"is not here: expected a folder with config\.json, or a name that was downl"):
        Transformers("somebody/another")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("videomea", {}, "unknown model of transformers: 'videomea'; did you mean 'videomae'"),
        ("/no/such/folder", {}, "model '/no/such/folder' of transformers is not here: expected a folder"),
        ("videomae", {"num_layers": 2}, "option of model 'videomae' of transformers: 'num_layers'; did you mean"),
        (
            "videomae",
            {**VIDEOS["videomae"], "pool": "class"},
            "VideoMAEModel of transformers has no class token; expected 'mean'",
        ),
        ("videomae", {"over_time": "sequence"}, "option over_time is of image networks; 'videomae' of transformers"),
    ],
)
def test_what_is_not_here(model, options, message):
    with pytest.raises(UsageError, match=message):
        Transformers(model, **options)


@pytest.mark.parametrize("model", [*VIDEOS, *IMAGES])
def test_weights_that_the_library_saved_are_loaded_whatever_names_its_files_have(tmp_path, capfd, model):
    folder = tmp_path / "model"
    config = transformers.AutoConfig.for_model(model, **{**VIDEOS, **IMAGES}[model])
    written = transformers.AutoModel.from_config(config)
    written.save_pretrained(folder)
    capfd.readouterr()
    start = Start(weights=str(folder / "model.safetensors"), learnt_from="nothing", labels=False, strict=False)
    backbone, expected = Transformers(str(folder)), written.state_dict()
    network = backbone.build(seed=1)
    assert load_weights(network, start, backbone).loaded.startswith("100.0 %")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
    assert capfd.readouterr() == ("", "")
