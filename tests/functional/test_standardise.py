import torch
from sklearn.preprocessing import StandardScaler

from harness.functional.standardise import standardise


def test_scikit_learn_agrees():
    generator = torch.Generator().manual_seed(0)
    x, other = (torch.randn(n, 7, generator=generator) * 5 + 3 for n in (50, 20))
    scaler = StandardScaler().fit(x.double().numpy())
    found = standardise(x, other)
    for ours, points in zip(found, (x, other), strict=True):
        expected = torch.from_numpy(scaler.transform(points.double().numpy())).float()
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)


def test_columns_of_rounding_noise_become_zero():
    x = torch.full((10, 2), 0.1)
    x[3, 0] = torch.nextafter(torch.tensor(0.1), torch.tensor(1.0))
    train, test = standardise(x, torch.full((2, 2), 5.0))
    assert train.eq(0).all()
    assert test.eq(0).all()


def test_tiny_and_huge_scales_survive():
    x = torch.tensor([[1e-25, -1e25], [3e-25, 1e25]])
    assert standardise(x)[0].tolist() == [[-1.0, -1.0], [1.0, 1.0]]
