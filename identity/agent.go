package identity

import "strings"

// agents and systems are looked for in this order: most browsers also name those
// that they are like.
var (
	agents = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser", "Samsung Internet"}, {"Firefox", "Firefox"}, {"FxiOS", "Firefox"},
		{"CriOS", "Chrome"}, {"Chrome", "Chrome"}, {"Safari", "Safari"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Macintosh", "Mac"}, {"Linux", "Linux"},
	}
)

// AgentOf gives what a browser and its system are called, as "Firefox/Windows", of
// its User-Agent: enough for a person to tell devices apart, too little to tell
// people apart. Either part is empty when it is not
// known.
func AgentOf(userAgent string) string {
	if len(userAgent) > 1024 {
		userAgent = userAgent[:1024]
	}
	if b, s := named(agents, userAgent), named(systems, userAgent); b+s != "" {
		return b + "/" + s
	}
	return ""
}

func named(names [][2]string, in string) string {
	for _, n := range names {
		if strings.Contains(in, n[0]) {
			return n[1]
		}
	}
	return ""
}
