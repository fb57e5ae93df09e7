"""Video files: decoding, sampling, transforms, loading, flow, writing."""
