package notice

import (
	"net/http"
	"strings"
)

// robots are parts of the user agents of programs that name themselves: crawlers, which follow
// links, and those that look at a page before or for a person. Libraries such as Go's or curl are
// none: servers report impressions by them.
var robots = []string{
	"bot/", "bot;", "bot)", "bot ", "-bot", "_bot", "robot", "googlebot", "bingbot", "adsbot", "mediapartners-google", "crawl", "spider", "slurp", "archiver",
	"facebookexternalhit", "facebookcatalog", "meta-externalagent", "whatsapp/", "skypeuripreview", "bingpreview", "googleweblight", "google-read-aloud",
	"apis-google", "feedfetcher", "favicon", "headlesschrome", "phantomjs", "lighthouse", "pagespeed", "pingdom", "uptimerobot", "statuscake", "gtmetrix",
	"ias_crawler", "ias-", "doubleverify", "grapeshot", "proximic", "moatbot", "geoedge", "confiant", "themediatrust", "yandeximages", "ahrefs", "semrush",
	"urlscan", "mailscanner", "barracuda", "proofpoint", "safelinks",
}

// IsRobot says whether a user agent names a program that sees ads for nobody.
func IsRobot(userAgent string) bool {
	const looked = 512                                                                                 // bytes
	agent := strings.ReplaceAll(strings.ToLower(userAgent[:min(len(userAgent), looked)]), "cubot", "") // makes telephones
	if strings.HasSuffix(agent, "bot") {
		return true
	}
	for _, part := range robots {
		if strings.Contains(agent, part) {
			return true
		}
	}
	return false
}

// unseen says that a request of a browser shows an ad, or opens its link, for nobody: it comes from
// a robot, or ahead of a person who may never come.
func unseen(r *http.Request) bool {
	agent := r.UserAgent()
	if of := r.Header.Get("X-Device-User-Agent"); of != "" { // a server reports for a device
		agent = of
	}
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if v := strings.ToLower(r.Header.Get(name)); strings.Contains(v, "prefetch") || strings.Contains(v, "preview") || strings.Contains(v, "prerender") {
			return true
		}
	}
	return r.Method == http.MethodHead || IsRobot(agent)
}
