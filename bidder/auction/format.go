package auction

// Format is one kind of ad that an Imp takes.
type Format uint8

const (
	FormatBanner Format = iota + 1
	FormatVideo
	FormatAudio
	FormatNative
)

// MarkupType is the format's number in a bid's mtype.
func (f Format) MarkupType() int { return int(f) }

func (f Format) String() string {
	return [...]string{"unknown", "banner", "video", "audio", "native"}[f]
}

// Formats appends the formats that the place takes to dst.
func (m *Imp) Formats(dst []Format) []Format {
	if m.Banner != nil {
		dst = append(dst, FormatBanner)
	}
	if m.Video != nil {
		dst = append(dst, FormatVideo)
	}
	if m.Audio != nil {
		dst = append(dst, FormatAudio)
	}
	if m.Native != nil {
		dst = append(dst, FormatNative)
	}
	return dst
}
