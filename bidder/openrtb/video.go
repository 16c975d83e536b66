package openrtb

import "github.com/clickloop/clickloop/bidder/auction"

// media are the members that video and audio share.
type media struct {
	mimes                    []string
	minDuration, maxDuration int
	durations                []int
	protocols                []int
	blocked, apis            []int
	minBitrate, maxBitrate   int
	floors                   auction.Floors
}

// member reads a member that both may have.
func (r *reader) member(m *media) {
	switch r.Name() {
	case "mimes":
		m.mimes = r.list(allowList, maxList, lower)
	case "minduration":
		m.minDuration, _ = r.whole()
	case "maxduration":
		m.maxDuration, _ = r.whole()
	case "rqddurs":
		m.durations = r.integers(allowList)
	case "protocols":
		m.protocols = append(m.protocols, r.integers(allowList)...)
	case "battr":
		m.blocked = r.integers(blockList)
	case "api":
		m.apis = r.integers(allowList)
	case "minbitrate":
		m.minBitrate, _ = r.whole()
	case "maxbitrate":
		m.maxBitrate, _ = r.whole()
	case "mincpmpersec":
		m.floors.PerSecond = r.money()
	case "durfloors":
		m.floors.Ranges = r.durationFloors()
	default:
		r.Skip()
	}
}

func (r *reader) checkMedia(m *media) {
	switch {
	case len(m.mimes) == 0:
		r.refuse("has no mimes")
	case m.maxDuration > 0 && m.maxDuration < m.minDuration:
		r.refuse("has a maxduration of %d below its minduration of %d", m.maxDuration, m.minDuration)
	case m.maxBitrate > 0 && m.maxBitrate < m.minBitrate:
		r.refuse("has a maxbitrate of %d below its minbitrate of %d", m.maxBitrate, m.minBitrate)
	}
}

// video reads a place for VAST.
func (r *reader) video() *auction.Video {
	var m media
	v := new(auction.Video)
	if !r.object(true) {
		return v
	}
	older := 0
	for r.Key() {
		switch r.Name() {
		case "w":
			v.Size.W = r.pixels()
		case "h":
			v.Size.H = r.pixels()
		case "protocol":
			if p, given := r.whole(); given && p > 0 {
				m.protocols = append(m.protocols, p)
			}
		case "placement":
			older, _ = r.integer()
		case "plcmt":
			v.Placement, _ = r.integer()
		case "linearity":
			v.Linearity, _ = r.whole()
		case "skip":
			v.Skip = r.on()
		case "pos":
			v.Position, _ = r.integer()
		default:
			r.member(&m)
		}
	}
	r.checkMedia(&m)
	if v.Placement <= 0 {
		v.Placement = plcmt(older)
	}
	if v.Size.W == 0 || v.Size.H == 0 {
		v.Size = auction.Size{} // half a size bounds nothing
	}
	v.MIMEs, v.MinDuration, v.MaxDuration, v.Durations = m.mimes, m.minDuration, m.maxDuration, m.durations
	v.Protocols, v.BlockedAttributes, v.APIs = m.protocols, m.blocked, m.apis
	v.MinBitrate, v.MaxBitrate, v.Floors = m.minBitrate, m.maxBitrate, m.floors
	return v
}

// plcmt is the kind of a video's place by the list of plcmt, of which 1 is instream, 2 accompanies
// content, 3 is an interstitial and 4 has no content around it, for a number of the older list of
// placement.
func plcmt(older int) int {
	if older < 1 || older > 5 {
		return 0
	}
	return [...]int{1, 4, 4, 4, 3}[older-1]
}

// audio reads a place for VAST or DAAST.
func (r *reader) audio() *auction.Audio {
	var m media
	if !r.object(true) {
		return new(auction.Audio)
	}
	for r.Key() {
		r.member(&m)
	}
	r.checkMedia(&m)
	return &auction.Audio{MIMEs: m.mimes, MinDuration: m.minDuration, MaxDuration: m.maxDuration, Durations: m.durations,
		Protocols: m.protocols, BlockedAttributes: m.blocked, APIs: m.apis,
		MinBitrate: m.minBitrate, MaxBitrate: m.maxBitrate, Floors: m.floors}
}
