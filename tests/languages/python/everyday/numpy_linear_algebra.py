import numpy as np

matrix = np.random.default_rng(1).random((300, 300))
print(np.allclose(matrix @ np.linalg.inv(matrix), np.eye(300)))
print(np.fft.ifft(np.fft.fft([1.0, 2.0, 4.0])).real.round(6).tolist())
print(np.linalg.svd(matrix, compute_uv=False).shape)
# Output:
# True
# [1.0, 2.0, 4.0]
# (300,)
