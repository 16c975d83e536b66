package auction

import "strings"

// family is a name and a part of a text by which it is known.
type family struct{ part, name string }

// browsers are known by the first part that a user agent has: most name others, too.
var browsers = []family{
	{"Edg", "edge"}, {"OPR/", "opera"}, {"Opera", "opera"}, {"SamsungBrowser", "samsung"}, {"UCBrowser", "uc"},
	{"YaBrowser", "yandex"}, {"MiuiBrowser", "miui"}, {"Firefox/", "firefox"}, {"FxiOS", "firefox"}, {"; wv)", "webview"},
	{"CriOS", "chrome"}, {"Chrome/", "chrome"}, {"Safari/", "safari"}, {"Trident", "ie"}, {"MSIE", "ie"}, {"AppleWebKit", "webview"},
}

// browser is the family of a user agent's browser; empty for no user agent.
func browser(agent string) string {
	if agent == "" {
		return ""
	}
	return familyOf(browsers, agent)
}

// systems are known by parts of what a request calls them, in lower case.
var systems = []family{
	{"android", "android"}, {"tvos", "tvos"}, {"ipados", "ios"}, {"iphone", "ios"}, {"ios", "ios"}, {"windows", "windows"},
	{"mac", "macos"}, {"os x", "macos"}, {"chrome", "chromeos"}, {"cros", "chromeos"}, {"tizen", "tizen"}, {"webos", "webos"}, {"roku", "roku"},
	{"fire", "fireos"}, {"playstation", "playstation"}, {"xbox", "xbox"}, {"linux", "linux"},
}

// agentSystems are known by parts of user agents.
var agentSystems = []family{
	{"Android", "android"}, {"iPhone", "ios"}, {"iPad", "ios"}, {"iPod", "ios"}, {"Xbox", "xbox"}, {"Windows", "windows"}, {"CrOS", "chromeos"},
	{"Macintosh", "macos"}, {"Tizen", "tizen"}, {"Web0S", "webos"}, {"Roku", "roku"}, {"PlayStation", "playstation"}, {"Linux", "linux"},
}

// system is the family of an operating system, by its name, else by the user agent.
func system(name, agent string) string {
	switch {
	case name != "":
		return familyOf(systems, strings.ToLower(name))
	case agent != "":
		return familyOf(agentSystems, agent)
	}
	return ""
}

func familyOf(families []family, text string) string {
	for _, f := range families {
		if strings.Contains(text, f.part) {
			return f.name
		}
	}
	return "other"
}
