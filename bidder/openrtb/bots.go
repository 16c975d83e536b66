package openrtb

import "bytes"

// botWords are parts of the user agents of programs that no person looks at. They are the generic
// words by which such programs name themselves in public, and the names of the commonest tools; the
// IAB's own list of spiders and bots is for its members only.
var botWords = [][]byte{
	[]byte("crawl"), []byte("spider"), []byte("slurp"), []byte("headless"), []byte("phantomjs"), []byte("lighthouse"),
	[]byte("facebookexternalhit"), []byte("mediapartners-google"), []byte("google-inspectiontool"), []byte("pingdom"), []byte("selenium"),
	[]byte("python-requests"), []byte("python-urllib"), []byte("go-http-client"), []byte("curl/"), []byte("wget/"), []byte("libwww"), []byte("apache-httpclient"),
	[]byte("scrapy"), []byte("preview/"), []byte("archiver"),
}

// isBot says whether a user agent names itself as a program's. The word bot counts at the end of a
// word, as in Googlebot/2.1, and not in Cubot, which makes telephones.
func (r *reader) isBot(agent string) bool {
	b := append(r.lower[:0], agent...)
	for i, c := range b {
		if c-'A' <= 'Z'-'A' {
			b[i] = c | 0x20
		}
	}
	r.lower = b
	for _, word := range botWords {
		if bytes.Contains(b, word) {
			return true
		}
	}
	for rest := b; ; {
		i := bytes.Index(rest, []byte("bot"))
		if i < 0 {
			return false
		}
		end := i + len("bot")
		if (end == len(rest) || !letter(rest[end])) && !bytes.HasSuffix(rest[:i], []byte("cu")) {
			return true
		}
		rest = rest[end:]
	}
}

func letter(c byte) bool { return c-'a' <= 'z'-'a' || c == '_' }
