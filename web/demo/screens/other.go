package screens

import "github.com/mandate-health/mandate/web/pages"

const groupOther = "screens.group.other"

func otherScreens() []Screen {
	list := []Screen{
		{"help", groupOther, func(s State) pages.Page { return pages.Help{Frame: out(s, general())} }},
		{"not-found", groupOther, func(s State) pages.Page { return pages.NotFound{Frame: out(s, general()), SupportCode: code(s)} }},
		{"outage", groupOther, func(s State) pages.Page {
			return pages.Outage{Frame: out(s, general()), SupportCode: code(s), RetryURL: Prefix}
		}},
		{"message", groupOther, func(s State) pages.Page {
			return pages.Message{
				Frame: out(s, general()), Key: "launch_ready", Args: map[string]any{"app": names(s).App},
				NextURL: Prefix, NextKey: "common.continue",
			}
		}},
	}
	for _, kind := range pages.ErrorNames() {
		list = append(list, Screen{"error-" + kind, groupOther, func(s State) pages.Page {
			return pages.ErrorPage{Frame: out(s, general()), Kind: kind, AppName: appName(s), SupportCode: code(s)}
		}})
	}
	return list
}

func code(s State) string {
	if s == Empty {
		return ""
	}
	return "K7PM-3QXD"
}

func appName(s State) string {
	if s == Empty {
		return ""
	}
	return names(s).App
}
