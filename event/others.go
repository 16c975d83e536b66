package event

import "github.com/clickloop/clickloop/internal/strictjson"

// others adds the candidates that were not chosen, if there are any. scored: with their scores.
func (l *line) others(others []Other, scored bool) {
	if len(others) == 0 {
		return
	}
	l.Key("others")
	l.Buf = append(l.Buf, '[')
	for i := range others {
		if i > 0 {
			l.Buf = append(l.Buf, ',')
		}
		l.Buf = others[i].appendJSON(l.Buf, scored)
	}
	l.Buf = append(l.Buf, ']')
}

func (o *Other) appendJSON(dst []byte, scored bool) []byte {
	l := newLine(dst)
	l.OptionalText("ad", o.Ad)
	l.OptionalText("campaign", o.Campaign)
	if strictjson.Finite(o.Score) && (scored || o.Score != 0) {
		l.Number("score", o.Score)
	}
	l.probabilities(o.P)
	l.OptionalInteger("index", o.Index)
	l.OptionalNumber("spread", o.Spread)
	return l.End()
}

// others reads an array of candidates. The slices in dst's spare capacity are used again.
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
			case "score":
				o.Score = r.Number()
			case "p":
				o.P = r.probabilities(o.P)
			case "index":
				o.Index = r.Integer()
			case "spread":
				o.Spread = r.Number()
			default:
				r.Skip()
			}
		}
	}
	return dst
}

// GrowOthers appends an empty Other. It uses the slice of the Other that stood there before.
func GrowOthers(dst []Other) []Other {
	if len(dst) == cap(dst) {
		return append(dst, Other{})
	}
	dst = dst[:len(dst)+1]
	o := &dst[len(dst)-1]
	*o = Other{P: o.P[:0]}
	return dst
}
