package screens

import (
	"time"

	"github.com/mandate-health/mandate/web/pages"
)

const groupProxy = "screens.group.proxy"

func proxyScreens() []Screen {
	return []Screen{
		{"invite", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.Invite{Frame: in(s, n.Patient, pages.FieldError{Field: "email", Key: "field.email"})}
			p.Who = pages.ActField{Name: "relation", Kind: "select", Options: []pages.Option{{Value: "DAUC", Label: "daughter"}, {Value: "FRND", Label: "friend"}}}
			if s != Empty {
				p.Name, p.Email, p.Similar = n.Proxy, "elena@example.org", s == Long
			}
			return p
		}},
		{"block", groupProxy, func(s State) pages.Page {
			p := pages.Block{Frame: in(s, names(s).Patient, pages.FieldError{Field: "name", Key: pages.ErrRequired})}
			p.Who = pages.ActField{Name: "relation", Kind: "select", Options: []pages.Option{{Value: "FMRSPS", Label: "former spouse"}}}
			return p
		}},
		{"person-invited", groupProxy, personScreen},
		{"person-helped", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.ProxyPerson{Frame: in(s, n.Proxy, general()), Reader: "proxy", Line: line(s, "active"), Kinds: []string{"medicines"}}
			p.Line.Patient = n.Patient
			p.Acts = []pages.CaseAct{{Key: "ask", URL: "/helping/1/ask"}, {Key: "resign", URL: "/helping/1/resign"}}
			if s != Empty {
				p.Together = &pages.ActingTogether{Others: []string{n.Nurse}, Asked: []pages.JointAsk{{Function: "schedule", Who: n.Nurse, Due: ahead(9)}, {Function: "refill", Agreed: true, Due: ahead(9)}, {Function: "message", Mine: true, Due: ahead(9)}}}
			}
			return p
		}},
		{"person-staff", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.ProxyPerson{Frame: staff(in(s, n.Nurse, general())), Reader: "staff", Line: line(s, "proofed"), Documents: []string{"passport", "driving-licence"}}
			p.Line.Patient = n.Patient
			p.Authority = &pages.CaseAuthority{Kind: "HPOWATT", Trigger: "capacity-loss", Reviews: ahead(90), Ends: ahead(300), Determined: 1, Powers: []string{"records", "genetics"}, Disputed: s == Long, Place: 1, Joint: s == Long}
			p.Acts = []pages.CaseAct{{Key: "verify", URL: "/staff/people/1/verify"}, {Key: "reject", URL: "/staff/people/1/reject"}}
			p.Steps = []pages.CaseStep{{At: ago(9), Key: "invite", Who: n.Patient}, {At: ago(8), Key: "accept", Who: n.Proxy}, {At: ago(1), Key: "proof", Who: n.Nurse}}
			return p
		}},
	}
}

// actScreens are those of one question about somebody who helps.
func actScreens() []Screen {
	return []Screen{
		{"person-end", groupProxy, func(s State) pages.Page {
			n := names(s)
			return pages.ProxyAct{Frame: in(s, n.Patient, general()), Act: "revoke", Who: n.Proxy, Version: 3, Fields: []pages.ActField{{Name: "quiet", Kind: "check"}}}
		}},
		{"person-sign", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.ProxyAct{Frame: in(s, n.Proxy, general()), Act: "cosign", Who: n.Proxy, Patient: n.Patient, Version: 3, Until: ahead(300)}
			if p.Kinds = []string{"medicines", "visits"}; s != Empty {
				p.Functions = []string{"schedule", "message"}
			}
			return p
		}},
		{"person-dictated", groupProxy, func(s State) pages.Page {
			n := names(s)
			told := []pages.Option{{Value: "FACE", Label: "In person"}, {Value: "PHONE", Label: "On the phone", Selected: true}}
			return pages.ProxyAct{
				Frame: staff(in(s, n.Nurse, pages.FieldError{Field: "code", Key: "field.caller"})), Act: "dictated", Who: n.Proxy, Patient: n.Patient, Version: 3,
				Fields: []pages.ActField{{Name: "channel", Kind: "select", Options: told}, {Name: "username", Kind: "text", Value: "rosa"}, {Name: "code", Kind: "text"}, {Name: "quiet", Kind: "check"}},
			}
		}},
		{"person-proof", groupProxy, func(s State) pages.Page {
			n := names(s)
			papers := []pages.Option{{Value: "passport", Label: "Passport"}, {Value: "insurance-card", Label: "Health insurance card"}}
			return pages.ProxyAct{
				Frame: staff(in(s, n.Nurse, pages.FieldError{Field: "document1", Key: "field.documents"})), Act: "proof", Who: n.Proxy, Patient: n.Patient,
				Fields: []pages.ActField{{Name: "document1", Kind: "select", Options: papers}, {Name: "powers", Kind: "ticks", Options: papers}, {Name: "document2", Kind: "select", Options: papers}, {Name: "review", Kind: "date"}},
			}
		}},
	}
}

// invitedScreens are those of sharing and of the people who help.
func invitedScreens() []Screen {
	return []Screen{
		{"share", groupProxy, func(s State) pages.Page { return shareScreen(s) }},
		{"share-seen", groupProxy, func(s State) pages.Page {
			p := pages.ShareSeen{Share: shareScreen(s), Until: ahead(300)}
			p.Frame = in(s, names(s).Patient, general())
			if s != Empty {
				p.Seen = []pages.SeenKind{{Kind: pages.KindRef{Type: "MedicationRequest"}, Count: 38}, {Kind: pages.KindRef{Type: "Observation"}, Count: 1}}
			}
			return p
		}},
		{"invitation", groupProxy, func(s State) pages.Page {
			return pages.Invitation{Frame: out(s, pages.FieldError{Key: "field.invitation"}), Email: "elena@example.org", SignInURL: "/signin"}
		}},
		{"invitation-account", groupProxy, func(s State) pages.Page {
			return pages.InvitationAccount{
				Frame: out(s, pages.FieldError{Field: "password", Key: "field.password"}),
				Email: "e@example.org", Code: "123456", Secret: cannedSecret, QR: cannedPicture(),
			}
		}},
		{"invitation-done", groupProxy, func(s State) pages.Page {
			return pages.InvitationDone{Frame: out(s, general()), NextURL: "/helping"}
		}},
		{"helping", groupProxy, func(s State) pages.Page {
			p := pages.Helping{Frame: in(s, names(s).Proxy, general())}
			if s != Empty {
				p.People = helped(s)
			}
			return p
		}},
		{"proxy-queue", groupProxy, func(s State) pages.Page {
			p := pages.ProxyQueue{Frame: staff(in(s, names(s).Nurse, general())), RegisterURL: "/staff/people/register", AdoptURL: "/staff/people/adopt"}
			for _, key := range []string{"hold", "request", "proof", "verify", "patient", "teen", "activate", "mourning"} {
				g := pages.QueueGroup{Key: key}
				if s != Empty && key == "proof" {
					g.Lines = helped(s)
				}
				p.Groups = append(p.Groups, g)
			}
			return p
		}},
	}
}

// paperScreens are those of papers, and of who asks to help.
func paperScreens() []Screen {
	return []Screen{
		{"ask-access", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.AskAccess{Frame: in(s, n.Proxy, pages.FieldError{Field: "number", Key: "field.request_number"})}
			p.Who = pages.ActField{Name: "relation", Kind: "select", Options: []pages.Option{{Value: "DAUC", Label: "daughter"}}}
			p.Kind = pages.ActField{Name: "instrument", Kind: "select", Options: []pages.Option{{Value: "HPOWATT", Label: "agent for health care"}}}
			if s != Empty {
				p.Name, p.Born, p.Number = n.Patient, "1947-03-02", "100234"
				p.Sent = []pages.SentRequest{{Name: n.Patient, At: ago(1), Ends: ahead(29)}}
			}
			return p
		}},
		{"papers-own", groupProxy, func(s State) pages.Page { return papersScreen(s, "proxy") }},
		{"papers-staff", groupProxy, func(s State) pages.Page { return papersScreen(s, "staff") }},
	}
}

func papersScreen(s State, reader string) pages.Page {
	n := names(s)
	p := pages.Papers{Frame: in(s, n.Proxy, pages.FieldError{Field: "file", Key: "field.file_kind"}), Reader: reader, Who: n.Proxy, Patient: n.Patient}
	if reader == "staff" {
		p.Frame = staff(in(s, n.Nurse, pages.FieldError{Field: "instrument", Key: pages.ErrChoose}))
	}
	p.Kind = pages.ActField{Name: "instrument", Kind: "select", Options: []pages.Option{{Value: "HPOWATT", Label: "agent for health care"}}}
	if s != Empty {
		p.Lines = []pages.PaperLine{{Kind: "HPOWATT", Media: "application/pdf", At: ago(2), Size: 2 << 20, URL: "/helping/1/papers/2"}}
		if reader == "staff" {
			p.Lines[0].Who = n.Proxy
		}
	}
	return p
}

func line(s State, state string) pages.CaseLine {
	return pages.CaseLine{Name: names(s).Proxy, Relation: "DAUC", State: state, Starts: ago(1), Until: ahead(300), URL: "/people/1"}
}

func helped(s State) []pages.CaseLine {
	var out []pages.CaseLine
	for _, state := range []string{"account", "active", "ended"} {
		l := line(s, state)
		l.Patient = names(s).Patient
		out = append(out, l)
	}
	return out
}

func personScreen(s State) pages.Page {
	p := pages.ProxyPerson{Frame: in(s, names(s).Patient, general()), Reader: "patient", Line: line(s, "invited")}
	if s != Empty {
		p.Email, p.Code, p.InviteEnds = "elena@example.org", "123456", ahead(6)
		p.Acts = []pages.CaseAct{{Key: "resend", URL: "/people/1/resend"}, {Key: "revoke", URL: "/people/1/revoke"}}
		p.Steps = []pages.CaseStep{{At: ago(1), Key: "invite", Who: names(s).Patient}}
	}
	return p
}

func shareScreen(s State) pages.Share {
	n := names(s)
	p := pages.Share{Frame: in(s, n.Patient, pages.FieldError{Field: "until", Key: "field.end_late"}), Who: n.Proxy, Until: ahead(300).Format(time.DateOnly)}
	for _, k := range []string{"medicines", "allergies", "results", "conditions", "visits", "plans", "notes"} {
		p.Kinds = append(p.Kinds, pages.ShareChoice{Name: k, Checked: s != Empty && k == "medicines"})
	}
	for _, f := range []string{"download", "message", "schedule", "refill", "sign-forms", "upload", "billing"} {
		p.Functions = append(p.Functions, pages.ShareChoice{Name: f, Checked: s != Empty && f == "schedule"})
	}
	p.BackURL = "/people/1"
	return p
}

// standingScreens lists the pages around whom somebody acts for, and calls.
func standingScreens() []Screen {
	return []Screen{
		{"matters", groupProxy, func(s State) pages.Page {
			p := pages.Matters{Frame: staff(in(s, names(s).Nurse, general()))}
			if s != Empty {
				p.Lines = []pages.MatterLine{{Kind: "review", Patient: names(s).Patient, Due: ahead(-1), Late: true, URL: "#"}, {Kind: "dispute", Patient: names(s).Patient, Due: ahead(9), URL: "#"}, {Kind: "joint", Function: "schedule", Patient: names(s).Patient, Due: ahead(9), URL: "#"}}
			}
			return p
		}},
		{"matter", groupProxy, func(s State) pages.Page {
			return pages.Matter{
				Frame: staff(in(s, names(s).Nurse, pages.FieldError{Field: "ground", Key: pages.ErrChoose})), Open: true, Mine: s == Empty,
				Line: pages.MatterLine{Kind: "review", Patient: names(s).Patient, Due: ahead(9)}, Opened: ahead(-1), OpenedBy: names(s).Proxy,
				Grounds: []pages.Option{{Value: "171.201", Label: "45 CFR 171.201"}}, Outcomes: []string{"upheld", "lifted"}, People: []pages.CaseLine{line(s, "suspended")},
			}
		}},
		{"matter-joint", groupProxy, jointScreen},
		{"matter-open", groupProxy, func(s State) pages.Page {
			p := pages.MatterOpen{Frame: staff(in(s, names(s).Nurse, pages.FieldError{Field: "other", Key: pages.ErrChoose})), Who: names(s).Proxy, Patient: names(s).Patient}
			if s != Empty {
				p.Others = []pages.Option{{Value: "1", Label: "Tomas Alvarez"}}
			}
			return p
		}},
		{"together", groupProxy, func(s State) pages.Page {
			p := pages.Together{Frame: in(s, names(s).Patient, general()), Patient: names(s).Patient}
			if s != Empty {
				p.Seen = []pages.TogetherSeen{{Rule: "two-at-once", First: "Safari iOS", Second: "Firefox Windows", Count: 2}}
			}
			return p
		}},
		{"call-code", groupProxy, func(s State) pages.Page {
			return pages.CallCode{Frame: in(s, names(s).Proxy, general()), Username: "elena", Code: "12345678", Next: ahead(0)}
		}},
		{"call-console", groupProxy, func(s State) pages.Page {
			return pages.CallConsole{Frame: staff(in(s, names(s).Nurse, general())), Refused: s == Error}
		}},
		{"call-verified", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.CallVerified{Frame: staff(in(s, n.Nurse, general())), Who: n.Proxy, Patient: n.Patient, Self: s == Empty}
			if s != Empty {
				p.Access = []pages.CallAccess{{Relation: "DAUC", Kinds: []pages.KindRef{{Type: "MedicationRequest"}}, Until: ahead(90)}}
			}
			return p
		}},
		{"acting", groupProxy, func(s State) pages.Page {
			n := names(s)
			p := pages.ActingChoice{Frame: in(s, n.Proxy, general()), Oneself: true}
			if s != Empty {
				p.Others = []pages.ActingPerson{{Value: "r", Name: n.Patient, Gender: "female", Relation: "DAUC"}}
			}
			return p
		}},
	}
}

// jointScreen is what two who act together ask for.
func jointScreen(s State) pages.Page {
	return pages.Matter{
		Frame: staff(in(s, names(s).Nurse, pages.FieldError{Field: "outcome", Key: pages.ErrChoose})), Open: true,
		Line: pages.MatterLine{Kind: "joint", Function: "schedule", Patient: names(s).Patient, Due: ahead(9)}, Opened: ahead(-1), OpenedBy: names(s).Proxy,
		Agreed: []pages.CaseStep{{At: ago(1), Who: names(s).Proxy}, {At: ago(0), Who: "Ann Alvarez"}}, Outcomes: []string{"done", "undone"}, People: []pages.CaseLine{line(s, "active")},
	}
}
