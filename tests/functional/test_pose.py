"""Strict PCP and PDJ by hand and by plain loops."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from harness.functional.pose import ARMS, DIAGONAL, JOINTS, OTHER_DIAGONAL, pdj, strict_pcp, torso_diameter

NAN = math.nan
THRESHOLDS = (0.1, 0.2, 0.3, 0.4)


def people(n=40, seed=0):
    """Truth with a few missing joints, a limb of no length, and predictions around it, one of them missing."""
    generator = torch.Generator().manual_seed(seed)
    truth = 100 * torch.rand(n, len(JOINTS), 2, generator=generator, dtype=torch.float64)
    predicted = truth + 15 * torch.randn(n, len(JOINTS), 2, generator=generator, dtype=torch.float64)
    truth[0, 3], truth[1, 5, 0], truth[2, 1], truth[3, 8] = NAN, NAN, NAN, NAN
    truth[4, 3] = truth[4, 1]
    truth[5, 8] = truth[5, 1]
    predicted[6, 3], predicted[7, 6, 1] = NAN, NAN
    return predicted, truth


def distance(one, other):
    return math.hypot(one[0] - other[0], one[1] - other[1])


def slow_pcp(predicted, truth):
    rows = []
    for found, real in zip(predicted.tolist(), truth.tolist(), strict=True):
        row = []
        for a, b in ARMS:
            length = distance(real[a], real[b])
            if math.isnan(length) or length == 0:
                row.append(NAN)
            else:
                row.append(float(all(distance(found[end], real[end]) <= length / 2 for end in (a, b))))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def slow_pdj(predicted, truth, diagonal, threshold):
    rows = []
    for found, real in zip(predicted.tolist(), truth.tolist(), strict=True):
        diameter = distance(real[diagonal[0]], real[diagonal[1]])
        row = []
        for joint in range(len(JOINTS)):
            if math.isnan(diameter) or diameter == 0 or any(map(math.isnan, real[joint])):
                row.append(NAN)
            else:
                row.append(float(distance(found[joint], real[joint]) / diameter <= threshold))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def arm(elbow, wrist):
    """One person whose left lower arm goes from (0, 0) to (8, 0), and a prediction of it that is off."""
    truth = torch.full((1, len(JOINTS), 2), NAN)
    truth[0, 3], truth[0, 5] = torch.tensor([0.0, 0.0]), torch.tensor([8.0, 0.0])
    predicted = truth.clone()
    predicted[0, 3] += torch.tensor(elbow)
    predicted[0, 5] += torch.tensor(wrist)
    return strict_pcp(predicted, truth)[0].nan_to_num(-1).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_pcp_is_that_of_plain_loops(seed):
    predicted, truth = people(seed=seed)
    found = strict_pcp(predicted, truth)
    torch.testing.assert_close(found, slow_pcp(predicted, truth), equal_nan=True)
    assert 0.05 < found.nanmean() < 0.95
    assert found.isnan().sum() >= 4


@pytest.mark.parametrize(
    ("elbow", "wrist", "right"),
    [
        ((0.0, 0.0), (0.0, 0.0), 1.0),
        ((0.0, 4.0), (0.0, 0.0), 1.0),  # exactly half of the length
        ((0.0, 0.0), (-4.0, 0.0), 1.0),
        ((0.0, 4.00001), (0.0, 0.0), 0.0),
        ((0.0, 3.92), (0.0, 3.92), 1.0),  # both at 0.49
        ((0.0, 0.0), (7.2, 0.0), 0.0),  # 0 and 0.9: right by the loose measure's mean, wrong by this one
        ((0.0, NAN), (0.0, 0.0), 0.0),
    ],
)
def test_pcp_of_one_arm(elbow, wrist, right):
    assert arm(elbow, wrist) == [-1, -1, right, -1]


def test_strict_is_never_more_than_loose():
    predicted, truth = people(200, seed=5)
    ends = torch.tensor(ARMS)
    errors = (predicted - truth).norm(dim=-1)[:, ends].mean(-1)
    lengths = (truth[:, ends[:, 0]] - truth[:, ends[:, 1]]).norm(dim=-1)
    strict, loose = strict_pcp(predicted, truth), (errors <= lengths / 2).double()
    scored = ~strict.isnan() & ~errors.isnan()
    assert (strict[scored] <= loose[scored]).all()
    assert strict[scored].sum() < loose[scored].sum()


@pytest.mark.parametrize("diagonal", [DIAGONAL, OTHER_DIAGONAL])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_pdj_is_that_of_plain_loops(diagonal, threshold):
    predicted, truth = people()
    found = pdj(predicted, truth, torso_diameter(truth, diagonal), threshold)
    torch.testing.assert_close(found, slow_pdj(predicted, truth, diagonal, threshold), equal_nan=True)
    assert 0 < found.nanmean() < 1


def test_pdj_counts_a_joint_at_the_threshold():
    truth = torch.zeros(1, 9, 2)
    truth[0, 8] = torch.tensor([6.0, 8.0])
    for shift, detected in ((0.0, 1.0), (5.0, 1.0), (5.001, 0.0)):
        moved = truth + torch.tensor([shift, 0.0])
        assert pdj(moved, truth, torso_diameter(truth), 0.5).tolist() == [[detected] * 9]


def test_pdj_grows_with_the_threshold_and_starts_at_exact_joints():
    predicted, truth = people(100)
    predicted[10] = truth[10]
    diameter = torso_diameter(truth)
    curve = [pdj(predicted, truth, diameter, threshold) for threshold in (0.0, *THRESHOLDS)]
    scored = ~curve[0].isnan()
    for fewer, more in itertools.pairwise(curve):
        assert (fewer[scored] <= more[scored]).all()
        assert fewer[scored].sum() < more[scored].sum()
    assert curve[0].nansum().item() == 9
    assert (curve[0][10] == 1).all()


def test_the_unit_and_the_origin_do_not_matter():
    predicted, truth = people()
    other, real = (2.5 * points + torch.tensor([30.0, -7.0]).double() for points in (predicted, truth))
    assert torch.equal(strict_pcp(other, real).nan_to_num(-1), strict_pcp(predicted, truth).nan_to_num(-1))
    before, after = (pdj(p, t, torso_diameter(t), 0.2).nan_to_num(-1) for p, t in ((predicted, truth), (other, real)))
    assert torch.equal(before, after)


def test_several_predictions_of_the_same_people():
    predicted, truth = people()
    both = torch.stack([predicted, truth])
    diameter = torso_diameter(truth)
    for measure in (lambda p: strict_pcp(p, truth), lambda p: pdj(p, truth, diameter, 0.2)):
        torch.testing.assert_close(measure(both)[0], measure(predicted), equal_nan=True)
        assert measure(both)[1].nanmean() == 1


def test_errors_name_the_shapes():
    predicted, truth = (points[:4] for points in people())
    with pytest.raises(ValueError, match=r"\(4, 9, 2\) and \(3, 9, 2\)"):
        strict_pcp(predicted[:3], truth)
    with pytest.raises(ValueError, match=r"\(4, 8, 2\)"):
        strict_pcp(predicted[:, :8], truth[:, :8])
    with pytest.raises(ValueError, match=r"diameters must be \(4,\), got \(3,\)"):
        pdj(predicted, truth, torso_diameter(truth)[:3], 0.2)
    with pytest.raises(ValueError, match=r"must not be negative, got -0\.1"):
        pdj(predicted, truth, torso_diameter(truth), -0.1)
