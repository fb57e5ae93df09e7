"""Video files in and out: decoding, sampling, transforms, loading, writing."""
