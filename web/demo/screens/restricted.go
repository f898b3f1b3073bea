package screens

import "github.com/mandate-health/mandate/web/pages"

// restrictedScreens lists the pages of codes that are sent.
func restrictedScreens() []Screen {
	return []Screen{
		{"sent-code", groupSignIn, func(s State) pages.Page {
			p := pages.SentCode{Frame: out(s, pages.FieldError{Field: "code", Key: pages.ErrSentCode}), Action: Prefix, AgainAction: Prefix, Way: "email", OtherURL: "#"}
			if s == Long {
				p.Way = "sms"
			}
			return p
		}},
		{"restricted-email", groupPatient, func(s State) pages.Page {
			return restrictedScreen(s, "email", pages.FieldError{Field: "accept", Key: pages.ErrAccept})
		}},
		{"restricted-sms", groupPatient, func(s State) pages.Page {
			p := restrictedScreen(s, "sms", pages.FieldError{Field: "number", Key: pages.ErrNumberUnfit})
			if s == Error {
				p.Number, p.Accepted = "0555", true
			}
			return p
		}},
		{"number-code", groupPatient, func(s State) pages.Page {
			p := pages.NumberCode{Frame: in(s, names(s).Patient, pages.FieldError{Field: "code", Key: pages.ErrSentCode}), Action: Prefix}
			p.BackURL = "/factors"
			return p
		}},
	}
}

func restrictedScreen(s State, way string, e pages.FieldError) pages.RestrictedCodes {
	p := pages.RestrictedCodes{Frame: in(s, names(s).Patient, e), Way: way, Action: Prefix}
	p.BackURL = "/factors"
	switch s {
	case Empty:
		p.Why, p.Action, p.FixURL = pages.WhyFirst, "", "#"
	case Long:
		p.Why, p.Action, p.FixURL = pages.WhyAddress, "", "#"
	case Expired:
		p.Why, p.Action = pages.WhyRole, ""
	}
	return p
}
