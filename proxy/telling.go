package proxy

import (
	"slices"
	"strings"
)

// Told is how much a patient hears of what one person does with the record
// (SP-15). Changes of the access itself are told whatever was chosen.
type Told string

// The choices. ToldFirst holds where nothing was chosen.
const (
	// ToldFirst: the first look.
	ToldFirst Told = "first"
	// ToldDaily: the first look, and each day with looks once.
	ToldDaily Told = "daily"
	// ToldDownloads: the first look, and each thing that was saved or printed.
	ToldDownloads Told = "downloads"
	// ToldNever: nothing.
	ToldNever Told = "never"
)

// Tellings are the choices in the order of the page.
func Tellings() []Told { return []Told{ToldFirst, ToldDaily, ToldDownloads, ToldNever} }

// Telling gives the choice that holds for the case.
func (c Case) Telling() Told {
	if !slices.Contains(Tellings(), c.Tell) {
		return ToldFirst
	}
	return c.Tell
}

// News is what there is to tell.
type News string

// The kinds of news.
const (
	// NewsAccess: the access began, changed, is to be renewed or ended.
	NewsAccess News = "access"
	// NewsAccount: something about the account itself, such as a new device.
	NewsAccount  News = "account"
	NewsFirst    News = "first-use"
	NewsDay      News = "day"
	NewsDownload News = "download"
)

// Hearing is what a decision about one piece of news looks at.
type Hearing struct {
	News News
	// Choice is what the patient chose about the person; not looked at for news
	// of the access and of the account.
	Choice Told
	// Held: a safety hold lies on the access.
	Held bool
	// Address is where an e-mail would go, "" for nowhere; Others are addresses
	// that people use who act for the patient.
	Address string
	Others  []string
}

// Why is a machine-readable reason.
type Why string

// The reasons.
const (
	WhyHold      Why = "hold"
	WhyNotWanted Why = "not-wanted"
	WhyNoAddress Why = "no-address"
	WhyShared    Why = "address-shared"
)

// Manner says how news is told.
type Manner struct {
	// Portal: as a message behind the log-in. Mail: by a word outside of it, that
	// there is news.
	Portal, Mail bool
	// Reasons say why not more.
	Reasons []Why
}

// Tell decides how a piece of news is told (SP-15, TR-37, CO-11). During a hold
// nothing is; news of use is told as the patient chose; and no e-mail goes to an
// address that somebody uses who acts for the patient.
func Tell(h Hearing) Manner {
	if h.Held {
		return Manner{Reasons: []Why{WhyHold}}
	}
	if !wanted(h.News, h.Choice) {
		return Manner{Reasons: []Why{WhyNotWanted}}
	}
	m := Manner{Portal: true, Mail: true}
	switch {
	case h.Address == "":
		m.Mail, m.Reasons = false, []Why{WhyNoAddress}
	case slices.ContainsFunc(h.Others, func(o string) bool { return sameMailbox(o, h.Address) }):
		m.Mail, m.Reasons = false, []Why{WhyShared}
	}
	return m
}

func wanted(n News, choice Told) bool {
	switch n {
	case NewsFirst:
		return choice != ToldNever
	case NewsDay:
		return choice == ToldDaily
	case NewsDownload:
		return choice == ToldDownloads
	}
	return true
}

// sameMailbox compares addresses as mail systems deliver them: without case, outer
// spaces and what follows a plus sign.
func sameMailbox(a, b string) bool { return a != "" && mailbox(a) == mailbox(b) }

func mailbox(address string) string {
	name, host, _ := strings.Cut(strings.ToLower(strings.TrimSpace(address)), "@")
	name, _, _ = strings.Cut(name, "+")
	return name + "@" + host
}

// Held reports whether a safety hold lies on the access now.
func (c Case) Held() bool {
	return c.State == StateSuspended && (c.Why() == SafetyHold || c.merged() && c.WasWhy == SafetyHold)
}
