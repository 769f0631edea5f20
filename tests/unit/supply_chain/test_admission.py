"""The admission examples admit what the release workflow signs, nothing else. They were not run on a cluster."""

import re
from typing import Any

import msgspec

from supply_chain import place
from supply_chain.findings import ROOT

HERE = place.read()
FOLDER = ROOT / "deploy" / "admission"
PATTERN = HERE.identity_pattern(HERE.image_workflow)


def policy(name: str) -> dict[str, Any]:
    return msgspec.yaml.decode((FOLDER / name).read_bytes(), type=dict[str, Any])


KYVERNO = policy("kyverno-image-validating-policy.yaml")
POLICY_CONTROLLER = policy("policy-controller-cluster-image-policy.yaml")


def test_the_identity_is_the_image_workflow_on_a_release_tag_and_no_other() -> None:
    signer = f"https://github.com/{HERE.repository}/.github/workflows/image.yml@refs/tags/v1.20.3"
    assert re.search(PATTERN, signer)
    others = (
        signer.replace("refs/tags/v1.20.3", "refs/heads/main"),
        signer.replace("refs/tags/v1.20.3", "refs/tags/v1.20.3-rc1"),
        signer.replace("refs/tags/v1.20.3", "refs/pull/7/merge"),
        signer.replace("image.yml", "ci.yml"),
        signer.replace("image.yml", "imageXyml"),
        signer.replace("https://github.com/", "https://github.com/evil/x?"),
        signer.replace(HERE.repository, "evil/querygateway"),
        signer + "/../../evil",
        "x" + signer,
        signer + "\n",
    )
    # Go's `$` is the end of the text; Python's is that or a line break before it.
    assert [other for other in others if re.search(PATTERN.removesuffix("$") + r"\Z", other)] == []


def test_the_workflow_that_is_trusted_is_the_one_that_signs() -> None:
    for name, workflow in (("image", HERE.image_workflow), ("chart", HERE.chart_workflow)):
        content = (ROOT / workflow).read_text()
        assert re.search(rf"^      - (?:id: push\n        )?run: make .*{name}-sign$", content, re.MULTILINE)
        assert "workflow_call:" in content
        suffix = HERE.chart.removeprefix(HERE.image) if name == "chart" else ""
        assert f"subject-name: ghcr.io/${{{{ github.repository }}}}{suffix}\n" in content
    assert "uses: $/.github/workflows/image.yml" in (ROOT / ".github/workflows/release.yml").read_text()


def test_kyverno_denies_whatever_is_not_signed_and_attested_by_the_release_workflow() -> None:
    assert (KYVERNO["apiVersion"], KYVERNO["kind"]) == ("policies.kyverno.io/v1", "ImageValidatingPolicy")
    spec = KYVERNO["spec"]
    assert spec["validationActions"] == ["Deny"]
    assert spec["failurePolicy"] == "Fail"
    assert spec["validationConfigurations"] == {"mutateDigest": True, "verifyDigest": True, "required": True}
    # An image that matches no reference is not checked at all.
    assert spec["matchImageReferences"] == [{"glob": "*"}]
    (attestor,) = spec["attestors"]
    assert attestor["cosign"]["keyless"]["identities"] == [{"issuer": HERE.issuer, "subjectRegExp": PATTERN}]
    attested = {entry["name"]: entry["intoto"]["type"] for entry in spec["attestations"]}
    assert attested == {"provenance": HERE.provenance, "sbom": HERE.sbom}
    expressions = [" ".join(entry["expression"].split()) for entry in spec["validations"]]
    for expression in expressions:
        assert all(
            f"images.?{kind}.orValue([])" in expression
            for kind in ("containers", "initContainers", "ephemeralContainers")
        )
        assert expression.endswith(".all(count, count > 0)")
    trusted = f"[attestors.{attestor['name']}]"
    assert f"verifyImageSignatures(image, {trusted})" in expressions[0]
    assert f"verifyAttestationSignatures(image, attestations.provenance, {trusted})" in expressions[1]
    assert f"verifyAttestationSignatures(image, attestations.sbom, {trusted})" in expressions[2]


def test_policy_controller_admits_our_image_only_signed_and_attested_by_the_release_workflow() -> None:
    assert (POLICY_CONTROLLER["apiVersion"], POLICY_CONTROLLER["kind"]) == (
        "policy.sigstore.dev/v1beta1",
        "ClusterImagePolicy",
    )
    spec = POLICY_CONTROLLER["spec"]
    assert spec["mode"] == "enforce"
    assert [entry["glob"] for entry in spec["images"]] == [HERE.image, f"{HERE.image}:*", f"{HERE.image}@sha256:*"]
    # One authority is enough to be admitted by: there must be no second one.
    (authority,) = spec["authorities"]
    assert authority["signatureFormat"] == "bundle"
    assert authority["keyless"]["identities"] == [{"issuer": HERE.issuer, "subjectRegExp": PATTERN}]
    attested = {entry["name"]: entry["predicateType"] for entry in authority["attestations"]}
    assert attested == {
        "signature": "https://sigstore.dev/cosign/sign/v1",
        "provenance": HERE.provenance,
        "sbom": HERE.sbom,
    }


def test_the_readme_verifies_by_hand_with_the_same_identity() -> None:
    text = (FOLDER / "README.md").read_text()
    assert PATTERN in text
    assert HERE.issuer in text
    assert HERE.provenance in text
    assert "not run on a cluster" in text
