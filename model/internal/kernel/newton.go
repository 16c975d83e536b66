package kernel

// Dims is the width of a Newton matrix.
const Dims = 64

// AddRows sets the first lanes of az to the matrix inverse times x, of which only dims are not
// zero.
func AddRows(az *[Dims]float64, inverse []float64, x *[Dims]float64, dims []uint16, lanes int) {
	if Vector {
		addRowsAVX(&az[0], &inverse[0], &x[0], &dims[0], len(dims), lanes)
		return
	}
	clear(az[:lanes])
	for _, d := range dims {
		v, x := inverse[int(d)*Dims:][:Dims], x[d]
		for i := range lanes {
			az[i] += float64(x * v[i])
		}
	}
}

// SubtractSquare takes az az' from the matrix inverse.
func SubtractSquare(inverse []float64, az *[Dims]float64, lanes int) {
	if Vector {
		subtractSquareAVX(&inverse[0], &az[0], lanes)
		return
	}
	for i := range lanes {
		v, a := inverse[i*Dims:][:Dims], az[i]
		for j := range lanes {
			v[j] -= float64(a * az[j])
		}
	}
}
