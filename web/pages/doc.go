// Package pages is the page kit: one template, seven components, the view
// model of every page and the embedded assets. It promises that each page has
// a unique title, one h1, a way out, a help telephone and a language switch,
// works without JavaScript, and leaves with strict security headers.
//
// A handler fills a view model and calls Kit.Render; the kit words it in the
// reader's language. A handler passes names, FHIR codes and times; sentences
// come from internal/words.
//
// Neighbours: internal/words owns the sentences; web/session the cookies and
// form tokens; web/problem chooses the error page. The packages below this one
// (signin, consent, patient, …) own the behaviour of pages. It owns no route
// but /assets/, no rule and no state.
package pages
