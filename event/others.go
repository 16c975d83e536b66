package event

// others writes the candidates that were not chosen, if any.
func (l *line) others(others []Other) {
	if len(others) == 0 {
		return
	}
	l.key("others")
	l.dst = append(l.dst, '[')
	for i := range others {
		if i > 0 {
			l.dst = append(l.dst, ',')
		}
		l.dst = others[i].appendJSON(l.dst)
	}
	l.dst = append(l.dst, ']')
}

func (o *Other) appendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.text("ad", o.Ad)
	l.text("campaign", o.Campaign)
	l.probabilities(o.P)
	return l.end()
}

// others takes an array of candidates; the slices in dst's spare capacity are used again.
func (r *Reader) others(dst []Other) []Other {
	for r.Array(); r.Element(); {
		dst = GrowOthers(dst)
		o := &dst[len(dst)-1]
		for r.Object(); r.Key(); {
			switch r.Name() {
			case "ad":
				o.Ad = r.Text()
			case "campaign":
				o.Campaign = r.Text()
			case "p":
				o.P = r.probabilities(o.P)
			default:
				r.Skip()
			}
		}
	}
	return dst
}

// GrowOthers appends an empty Other whose slice is that of the one that stood there before.
func GrowOthers(dst []Other) []Other {
	if len(dst) == cap(dst) {
		return append(dst, Other{})
	}
	dst = dst[:len(dst)+1]
	o := &dst[len(dst)-1]
	*o = Other{P: o.P[:0]}
	return dst
}
