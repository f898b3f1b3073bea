package account

import (
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

func (v visit) display() {
	back := "/signin"
	if v.id.Person.ID != "" {
		back = pages.AccountPath
	}
	f := v.frame(back)
	if v.r.URL.Query().Get("done") != "" {
		f.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeSaved}
	}
	v.draw(http.StatusOK, pages.Display{
		Frame: f, Action: v.Session.Path(pages.DisplayPath), Next: v.r.URL.Query().Get("next"),
		Language: f.Lang, Looks: strings.Fields(pages.Look(v.r)),
	})
}

// displayed keeps the look and the language on the device, and for the account of
// whoever is signed in.
func (v visit) displayed() {
	var chosen []string
	for _, look := range []string{pages.LookLarge, pages.LookCalm} {
		if slices.Contains(v.form()["look"], look) {
			chosen = append(chosen, look)
		}
	}
	look, language := strings.Join(chosen, " "), v.form().Get("language")
	if language != "" && !slices.ContainsFunc(words.Languages(), func(l words.Language) bool { return l.Code == language }) {
		v.Page(v.w, v.r, errs.New(errs.Invalid, "language-unknown", "That language is not offered."))
		return
	}
	if v.id.Person.ID != "" {
		err := v.Accounts.SetChoices(v.r.Context(), v.id.Person.Tenant, session.Secret(v.r), identity.Choices{Language: language, Look: &look})
		if err != nil {
			v.Page(v.w, v.r, err)
			return
		}
	}
	v.Session.SetLook(v.w, pages.LookValue(look), v.id.Session.Shared)
	if language != "" {
		v.Session.SetLanguage(v.w, language)
	}
	v.goTo(v.Session.Own(v.form().Get("next"), v.Session.Path(pages.DisplayPath)+"?done=1"))
}

func (v visit) accessibility() {
	back := "/signin"
	if v.id.Person.ID != "" {
		back = pages.AccountPath
	}
	v.draw(http.StatusOK, pages.Accessibility{Frame: v.frame(back)})
}
