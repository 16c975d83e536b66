package auction

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
