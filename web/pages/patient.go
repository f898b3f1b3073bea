package pages

import (
	"time"

	"github.com/mandate-health/mandate/internal/words"
)

// ConnectedApps lists the apps that have access to a record.
type ConnectedApps struct {
	Frame
	// Patient is the name of whose record it is; Self: the reader's own.
	Patient string
	Self    bool
	Apps    []AppEntry
	// Ended are apps whose access has ended, newest first.
	Ended []AppEntry
}

// AppEntry is one app's access.
type AppEntry struct {
	App AppInfo
	// Kinds is what it may see; Actions what it may do.
	Kinds   []KindRef
	Actions []ActionRef
	// Since, LastUsed, Until and EndedOn are UTC; zero LastUsed: never used;
	// zero Until: ends with the visit.
	Since, LastUsed, Until, EndedOn time.Time
	// Renewed: Until moves on while the app is used.
	Renewed bool
	// By is the name of the person who allowed it; Relation that person's
	// relationship code to the patient, empty if the patient did.
	By, Relation string
	// Actors are programs that act through the app.
	Actors []ActorEntry
	// URL is the app's own page; EndURL the page that asks to confirm the end.
	URL, EndURL string
}

// ActorEntry is one program that acts with an app's access.
type ActorEntry struct {
	// ID is what the form posts to end it.
	ID  string
	App AppInfo
	// Since and Last are UTC.
	Since, Last time.Time
}

// KindRef names a kind of data by codes; the kit words it.
type KindRef struct {
	// Type is the FHIR type, "*" for all; Category and Topic narrow it.
	Type, Category, Topic string
	// Query: only some, by a query without words of its own.
	Query bool
}

// ActionRef names an act by codes; the kit words it.
type ActionRef struct {
	// Type is the FHIR type; Verb create, update, delete or write.
	Type, Verb string
}

// Template names the page.
func (ConnectedApps) Template() string { return "apps" }

// ConnectedApp shows one app's access and leads to its end.
type ConnectedApp struct {
	Frame
	Patient string
	Self    bool
	Entry   AppEntry
	// Unused are the kinds that it may see and never asked for.
	Unused []KindRef
	// Recent is what the app did last, newest first.
	Recent []ActivityEntry
	// EndActorURL is the POST target by which one of Entry.Actors ends. Posts:
	// actor.
	EndActorURL string
	// ActivityURL leads to the whole list.
	ActivityURL string
	Technical   Technical
}

// Template names the page.
func (ConnectedApp) Template() string { return "app" }

func (p ConnectedApp) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "app.title", words.Args{"app": p.Entry.App.Name}
}

// EndApp asks whether an app's access shall end. Posts: answer=end or
// answer=keep.
type EndApp struct {
	Frame
	// Action is the POST target; empty means the page's own URL.
	Action  string
	Patient string
	Self    bool
	Entry   AppEntry
	// Version is posted back as "version", so that a concurrent change shows.
	Version string
}

// Template names the page.
func (EndApp) Template() string { return "end-app" }

func (p EndApp) titleKey(*words.Catalogue, string) (string, words.Args) {
	return "end-app.title", words.Args{"app": p.Entry.App.Name}
}

// Activity is "Who looked at my record": a timeline with a filter by GET:
// person, app, from, to.
type Activity struct {
	Frame
	Patient string
	Self    bool
	Filter  ActivityFilter
	Entries []ActivityEntry
	// OlderURL and NewerURL page through; empty if there is no more.
	OlderURL, NewerURL string
}

// ActivityFilter is the filter as chosen and what can be chosen.
type ActivityFilter struct {
	// Action is the GET target; empty means the page's own URL.
	Action       string
	People, Apps []Option
	// From and To are dates as typed (2006-01-02).
	From, To string
}

// Active reports whether anything is filtered.
func (f ActivityFilter) Active() bool {
	for _, o := range append(append([]Option(nil), f.People...), f.Apps...) {
		if o.Selected {
			return true
		}
	}
	return f.From != "" || f.To != ""
}

// Option is one entry of a drop-down list.
type Option struct {
	Value, Label string
	Selected     bool
}

// ActivityEntry is one thing that happened.
type ActivityEntry struct {
	// At is when (UTC).
	At time.Time
	// Who is the person's name; Self: the reader.
	Who  string
	Self bool
	// Relation is the person's relationship code to the patient, empty for the
	// patient and for staff. Role is the staff role in words, if any.
	Relation, Role string
	// App is the app's name; empty for a page of ours.
	App string
	// What is one of the Act constants.
	What Act
	// Kinds and Count say how many entries of which kinds; Count < 0: unknown.
	Kinds []KindRef
	Count int
	// Refused: it was asked and not allowed.
	Refused bool
	// Emergency: access without consent in an emergency (break-glass).
	Emergency bool
}

// Act is what happened, in one word that the kit puts into a sentence.
type Act string

// The acts.
const (
	ActLooked   Act = "looked"
	ActCopied   Act = "copied"
	ActAdded    Act = "added"
	ActChanged  Act = "changed"
	ActDeleted  Act = "deleted"
	ActAllowed  Act = "allowed"
	ActEnded    Act = "ended"
	ActSignedIn Act = "signed_in"
	ActDeclined Act = "declined"
)

// ByApp reports whether the act is one that an app does for a person.
func (a Act) ByApp() bool {
	switch a {
	case ActLooked, ActAdded, ActChanged, ActDeleted:
		return true
	}
	return false
}

// Template names the page.
func (Activity) Template() string { return "activity" }

func (p Activity) titleKey(*words.Catalogue, string) (string, words.Args) {
	if p.Self {
		return "activity.title", nil
	}
	return "activity.heading.other", words.Args{"name": p.Patient}
}

// People is "People with access": who can see the record, as sentences.
type People struct {
	Frame
	Patient string
	Self    bool
	People  []PersonAccess
	Circle  Circle
	// InviteURL leads to the invitation of another person; empty leaves it out.
	InviteURL string
}

// Circle is the people around a record who have no access now.
type Circle struct {
	// Waiting are invited, waiting or paused, Past had access once, Blocked are
	// shut out for good.
	Waiting, Past, Blocked []CaseLine
	// Managed says, by the id of a relation, where an access is changed.
	Managed map[string]string
	// BlockURL leads to where somebody is shut out who has no line here; empty
	// leaves it out.
	BlockURL string
}

// PersonAccess is one person's access to the record.
type PersonAccess struct {
	Name string
	// Relation is the relationship code to the patient.
	Relation string
	// Kinds is what the person may see; Everything: all ordinary kinds.
	Kinds      []KindRef
	Everything bool
	// Sensitive are the topics that the person may see besides. OnlySensitive:
	// nothing ordinary, only entries that were agreed to one by one.
	Sensitive     []KindRef
	OnlySensitive bool
	// From and Until bound the access (UTC); zero Until: no end.
	From, Until time.Time
	// LastSeen is the last look (UTC); zero: never.
	LastSeen time.Time
	// State is one of the Access constants.
	State AccessState
	// ActivityURL leads to what the person did; empty leaves it out.
	ActivityURL string
	// URL leads to where the access is changed and ended; empty leaves it out.
	URL string
}

// AccessState is where a person's access stands.
type AccessState string

// The states.
const (
	AccessActive  AccessState = "active"
	AccessWaiting AccessState = "waiting"
	AccessPaused  AccessState = "paused"
	AccessEnded   AccessState = "ended"
)

// Template names the page.
func (People) Template() string { return "people" }
