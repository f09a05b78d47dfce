import numpy as np
from scipy import integrate, optimize, sparse, stats
from scipy.sparse.linalg import spsolve

print(round(integrate.quad(np.sin, 0, np.pi)[0], 9))
print(optimize.minimize(lambda x: (x[0] - 3) ** 2 + (x[1] + 1) ** 2, [0, 0]).x.round(3).tolist())
print(spsolve(sparse.eye(3, format="csc") * 2, np.array([2.0, 4.0, 6.0])).tolist())
print(round(stats.norm.cdf(1.96), 3))
# Output:
# 2.0
# [3.0, -1.0]
# [1.0, 2.0, 3.0]
# 0.975
