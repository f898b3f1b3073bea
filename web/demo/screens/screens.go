package screens

import (
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
)

// Prefix is where the handler is to be mounted, without the trailing slash; it
// answers Prefix itself and everything below.
const Prefix = "/dev/screens"

// State is what a page is shown in.
type State string

// The states.
const (
	Normal  State = "normal"
	Empty   State = "empty"
	Long    State = "long"
	Error   State = "error"
	Expired State = "expired"
)

// States gives all states in the order of the list.
func States() []State { return []State{Normal, Empty, Long, Error, Expired} }

// Screen is one page that can be shown in each state.
type Screen struct {
	// Name is the part of the address; unique.
	Name string
	// Group is the word key of the heading it is listed under.
	Group string
	// Page gives the view model in a state. All data is fixed.
	Page func(State) pages.Page
}

// All gives every screen in the order of the list.
func All() []Screen {
	var all []Screen
	for _, group := range [][]Screen{signInScreens(), flowScreens(), patientScreens(), recordScreens(), factorScreens(), restrictedScreens(), regainScreens(), bedsideScreens(), accountScreens(), staffScreens(), operatorScreens(), otherScreens(), proxyScreens(), actScreens(), invitedScreens(), paperScreens(), standingScreens(), messageScreens()} {
		all = append(all, group...)
	}
	return all
}

// New makes the handler of Prefix and of the kit's assets. It also works behind
// http.StripPrefix(Prefix, …).
func New(kit *pages.Kit) http.Handler {
	mux := routes(kit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, Prefix) && !strings.HasPrefix(r.URL.Path, pages.AssetPrefix) {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = Prefix+r.URL.Path, ""
		}
		mux.ServeHTTP(w, r)
	})
}

func routes(kit *pages.Kit) *http.ServeMux {
	screens := map[string]Screen{}
	for _, s := range All() {
		screens[s.Name] = s
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+pages.AssetPrefix, kit.Assets())
	mux.HandleFunc("GET "+Prefix+"/{$}", func(w http.ResponseWriter, r *http.Request) {
		kit.Render(w, r, http.StatusOK, index())
	})
	mux.HandleFunc("GET "+Prefix, func(w http.ResponseWriter, r *http.Request) {
		kit.Render(w, r, http.StatusOK, index())
	})
	mux.HandleFunc("GET "+Prefix+"/{page}/{state}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := screens[r.PathValue("page")]
		state := State(r.PathValue("state"))
		if !ok || !known(state) {
			kit.Render(w, r, http.StatusNotFound, pages.NotFound{})
			return
		}
		kit.Render(w, r, http.StatusOK, s.Page(state))
	})
	// Forms of the screens come back to the page they were posted from.
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		to := Prefix
		if strings.HasPrefix(r.URL.Path, Prefix+"/") {
			to = r.URL.Path
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		kit.Render(w, r, http.StatusNotFound, pages.NotFound{})
	})
	return mux
}

func known(s State) bool {
	for _, k := range States() {
		if s == k {
			return true
		}
	}
	return false
}

func index() pages.Page {
	var p pages.ScreenList
	for _, l := range words.Languages() {
		if !l.Checked {
			p.Unchecked = append(p.Unchecked, l.Name)
		}
	}
	for _, s := range All() {
		entry := pages.ScreenLinks{Name: s.Name, Group: s.Group}
		for _, st := range States() {
			entry.States = append(entry.States, pages.ScreenLink{
				State: string(st), URL: Prefix + "/" + s.Name + "/" + string(st),
			})
		}
		p.Screens = append(p.Screens, entry)
	}
	return p
}
