package screens

import "github.com/mandate-health/mandate/web/pages"

func messageScreens() []Screen {
	return []Screen{
		{"messages", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.Messages{Frame: in(s, n.Patient, general()), Until: "1", ContactURL: "/contact"}
			if s == Empty {
				return p
			}
			p.Items = []pages.MessageLine{
				{At: ago(1), New: true, Key: "self.proxy.day", Who: n.Proxy, Count: 12, Since: ago(2), URL: "/people/1"},
				{At: ago(3), New: true, Key: "self.proxy.first-use", Who: n.Proxy, URL: "/people/1"},
				{At: ago(5), Key: "self.proxy.granted", Who: n.Proxy, URL: "/people/1"},
				{At: ago(9), Key: "account.factor-changed"},
			}
			return p
		}},
		{"contact", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.Contact{Frame: in(s, n.Patient, pages.FieldError{Field: "tell-1", Key: pages.ErrChoose}), Address: "rosa@example.org", Shared: s == Long}
			if s == Empty {
				p.Address = ""
				return p
			}
			choices := []string{"first", "daily", "downloads", "never"}
			p.People = []pages.ContactPerson{
				{Field: "tell-1", Name: n.Proxy, Choice: "first", Choices: choices},
				{Field: "tell-2", Name: "Bea Brook", Choice: "never", Choices: choices},
			}
			return p
		}},
	}
}
