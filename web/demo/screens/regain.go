package screens

import "github.com/mandate-health/mandate/web/pages"

// regainScreens lists the way back into an account.
func regainScreens() []Screen {
	return append(reviewScreens(), []Screen{
		{"regain", groupSignIn, func(s State) pages.Page {
			p := pages.Regain{Frame: out(s, pages.FieldError{Field: "username", Key: pages.ErrRequired}), Action: Prefix}
			if s == Long {
				p.Username = "maria.del.carmen.hernandez-villalobos@mail.example.org"
			}
			return p
		}},
		{"regain-prove", groupSignIn, func(s State) pages.Page {
			p := pages.RegainProve{Frame: out(s, pages.FieldError{Key: pages.ErrRegain}), Action: Prefix, Username: "rosa", Contact: true, Paper: true}
			if s == Normal || s == Long {
				p.Ticket, p.Passkey = "x", cannedPasskey()
			}
			if s == Long || s == Expired {
				p.More, p.App, p.Password = true, true, true
			}
			return p
		}},
		{"regain-wait", groupSignIn, func(s State) pages.Page {
			p := pages.RegainWait{Frame: out(s, general()), Reviews: s == Long}
			if s != Empty {
				p.Ready = ahead(1)
			}
			return p
		}},
		{"regain-finish", groupSignIn, func(s State) pages.Page {
			p := pages.RegainFinish{Frame: out(s, pages.FieldError{Field: "password", Key: pages.ErrPasswordKnown}), Action: Prefix, First: s == Empty}
			if s != Empty {
				p.App = &pages.AddCodeApp{Secret: cannedSecret, Proof: "x", QR: cannedPicture()}
			}
			return p
		}},
		{"regain-finish-elsewhere", groupSignIn, func(s State) pages.Page {
			p := pages.RegainFinish{Frame: out(s, pages.FieldError{Field: "code", Key: pages.ErrCode}), Action: Prefix, First: s == Empty, Elsewhere: true}
			if s != Empty {
				p.App = &pages.AddCodeApp{Secret: cannedSecret, Proof: "x", QR: cannedPicture()}
			}
			return p
		}},
		{"enrol", groupSignIn, func(s State) pages.Page {
			return pages.Enrol{Frame: out(s, pages.FieldError{Key: pages.ErrExpiredForm}), Action: Prefix}
		}},
		{"regain-stop", groupSignIn, func(s State) pages.Page {
			return pages.RegainStop{Frame: out(s, pages.FieldError{Key: pages.ErrExpiredForm}), Action: Prefix}
		}},
	}...)
}

// reviewScreens lists what staff see of it.
func reviewScreens() []Screen {
	return []Screen{
		{"recovery-queue", groupStaff, func(s State) pages.Page {
			p := pages.RecoveryQueue{Frame: staff(in(s, names(s).Nurse, general()))}
			if s != Empty {
				p.Lines = []pages.RecoveryLine{
					{Name: names(s).Patient, Username: "rosa", Role: "patient", Waits: "proof", Created: ago(0), URL: "#"},
					{Name: names(s).Proxy, Username: "elena", Role: "proxy", Waits: "review", Created: ago(1), URL: "#"},
				}
			}
			return p
		}},
		{"recovery-case", groupStaff, func(s State) pages.Page {
			p := pages.RecoveryCase{
				Frame: staff(in(s, names(s).Nurse, general())), Strange: s != Empty, Helped: s == Long, Ready: ahead(1),
				Line: pages.RecoveryLine{Name: names(s).Proxy, Username: "elena", Role: "proxy", Waits: "review", HighRisk: s == Long, Created: ago(1)},
				Acts: []pages.CaseAct{{Key: "check", URL: "#"}, {Key: "approve", URL: "#"}, {Key: "refuse", URL: "#"}},
			}
			p.BackURL = "/staff/recovery"
			p.Proofs = []pages.RecoveryProof{{Kind: "contact", At: ago(1)}, {Kind: "staff", At: ago(1), How: "in-person", Documents: []string{"passport"}}}
			if s != Empty {
				p.Reviews = []pages.RecoveryProof{{Kind: "seen", At: ago(0)}}
			}
			return p
		}},
		{"recovery-act", groupStaff, func(s State) pages.Page {
			p := pages.RecoveryAct{Frame: staff(in(s, names(s).Nurse, pages.FieldError{Field: "reason", Key: pages.ErrChoose})), Act: "approve", Who: names(s).Proxy, Version: 2}
			p.BackURL = "/staff/recovery"
			p.Fields = []pages.ActField{{Name: "reason", Kind: "select", Options: []pages.Option{{Value: "seen", Label: "I have seen the person"}}}}
			if s == Long {
				p.Act = "check"
				p.Fields = append([]pages.ActField{{Name: "how", Kind: "select"}}, p.Fields...)
			}
			return p
		}},
	}
}
