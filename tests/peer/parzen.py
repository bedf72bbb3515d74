# SPDX-License-Identifier: Apache-2.0
"""The table of densities in tests/tune_test.c, computed by Optuna's Parzen
estimators: each line's own axis and places.  With `print` the lines are written
anew; else they are compared."""
import re
import sys

import numpy as np
from optuna.distributions import (CategoricalDistribution, FloatDistribution,
                                  IntDistribution)
from optuna.samplers._tpe.parzen_estimator import (
    _ParzenEstimator, _ParzenEstimatorParameters)
from optuna.samplers._tpe.sampler import default_weights

WHOLE = {"rank", "big"}
LINE = re.compile(r'\{ "(\w+):([^"]*)", (\d+), \{([^}]*)\}, ([-\d.e]+),\s+'
                  r'([-\d.e]+) \}')


def axis(name, what):
    if "/" in what:
        return CategoricalDistribution(what.split("/"))
    ends, *log = what.split(":")
    low, high = ends.split("..")
    kind, number = ((IntDistribution, int) if name in WHOLE else
                    (FloatDistribution, float))
    return kind(number(low), number(high), log=log == ["log"])


def density(name, what, seen, at):
    parameters = _ParzenEstimatorParameters(
        prior_weight=1.0, consider_magic_clip=True, consider_endpoints=False,
        weights=default_weights, multivariate=False)
    p = _ParzenEstimator({"x": np.array(seen, float)}, {"x": axis(name, what)},
                         parameters)
    return p.log_pdf({"x": np.array([at], float)})[0]


wrong = lines = 0
for m in LINE.finditer(open(sys.argv[1]).read()):
    name, what, n, seen, at, log = m.groups()
    seen = [float(x) for x in seen.split(",")][:int(n)]
    want = density(name, what, seen, float(at))
    lines += 1
    if sys.argv[2:] == ["print"]:
        print(f"{m.group(0)[:m.start(6) - m.start(0)]}{want:.12f} }},")
    elif abs(want - float(log)) > 1e-9:
        print(m.group(0), want)
        wrong += 1
print(lines, "lines,", wrong, "wrong")
sys.exit(lines == 0 or wrong > 0)
