package factors

import (
	"context"
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
)

const (
	emailPath  = Path + "/email"
	smsPath    = Path + "/sms"
	numberPath = smsPath + "/code"
	// addressesPath is where an e-mail address is checked.
	addressesPath = pages.AccountPath + "/addresses"
)

// Restricted is what the pages need of identity.Service for codes that are sent.
type Restricted interface {
	Offered(p identity.Person, factors []identity.Factor) ([]identity.FactorKind, map[identity.FactorKind]string)
	AddEmailCodes(ctx context.Context, tenant, secret string, accepted bool, m identity.Meta) error
	SendNumberCode(ctx context.Context, tenant, secret, number string, accepted bool, m identity.Meta) error
	AddNumber(ctx context.Context, tenant, secret, code string, m identity.Meta) error
}

// reasons say why codes are not for somebody, by the code of the refusal.
func reasons() map[string]string {
	return map[string]string{
		"restricted-off": pages.WhyOff, "restricted-role": pages.WhyRole, "restricted-first": pages.WhyFirst,
		"contact-needed": pages.WhyAddress, "factors-many": pages.WhyHave,
	}
}

// restricted tells of codes in one way, and offers them to whom they are for.
func (v visit) restricted(way identity.FactorKind) {
	all, err := v.Accounts.ManagedFactors(v.r.Context(), v.tenant(), v.secret())
	if err != nil {
		v.fail(err)
		return
	}
	why := pages.WhyOff
	may, not := v.Restricted.Offered(v.id.Person, all)
	switch {
	case slices.Contains(may, way):
		why = ""
	case not[way] != "":
		why = reasons()[not[way]]
	case slices.ContainsFunc(all, func(f identity.Factor) bool { return f.Kind == way }):
		why = pages.WhyHave
	}
	v.showRestricted(http.StatusOK, way, why)
}

func (v visit) showRestricted(status int, way identity.FactorKind, why string, e ...pages.FieldError) {
	p := pages.RestrictedCodes{
		Frame: v.frame(Path, e...), Way: string(way), Why: why,
		Number: v.r.PostFormValue("number"), Accepted: v.r.PostFormValue("accept") != "",
	}
	switch why {
	case "":
		p.Action = v.Session.Path(emailPath)
		if way == identity.FactorSMS {
			p.Action = v.Session.Path(smsPath)
		}
	case pages.WhyFirst:
		p.FixURL = v.Session.Path(Path)
	case pages.WhyAddress:
		p.FixURL = v.Session.Path(addressesPath)
	}
	v.draw(status, p)
}

func (v visit) aboutEmail() { v.restricted(identity.FactorEmail) }
func (v visit) aboutSMS()   { v.restricted(identity.FactorSMS) }

func (v visit) accepted() bool { return v.r.PostFormValue("accept") == "yes" }

func (v visit) addEmail() {
	err := v.Restricted.AddEmailCodes(v.r.Context(), v.tenant(), v.secret(), v.accepted(), v.meta())
	if err == nil {
		v.goTo(Path + "?done=added")
		return
	}
	v.unrestricted(identity.FactorEmail, err)
}

func (v visit) sendNumber() {
	err := v.Restricted.SendNumberCode(v.r.Context(), v.tenant(), v.secret(), words.PlainDigits(v.r.PostFormValue("number")), v.accepted(), v.meta())
	if err == nil {
		v.goTo(numberPath)
		return
	}
	v.unrestricted(identity.FactorSMS, err)
}

// unrestricted answers what could not be added.
func (v visit) unrestricted(way identity.FactorKind, err error) {
	code := codeOf(err)
	why := reasons()[code]
	switch {
	case why != "":
		v.showRestricted(http.StatusConflict, way, why)
	case code == "restricted-unaccepted":
		v.showRestricted(http.StatusBadRequest, way, "", pages.FieldError{Field: "accept", Key: pages.ErrAccept})
	case code == "number-unfit":
		v.showRestricted(http.StatusBadRequest, way, "", pages.FieldError{Field: "number", Key: pages.ErrNumberUnfit})
	case errs.Is(err, errs.RateLimited):
		v.showRestricted(http.StatusTooManyRequests, way, "", pages.FieldError{Field: "number", Key: pages.ErrAddresses})
	default:
		v.fail(err)
	}
}

func (v visit) askNumber() { v.showNumber(http.StatusOK) }

func (v visit) showNumber(status int, e ...pages.FieldError) {
	v.draw(status, pages.NumberCode{Frame: v.frame(smsPath, e...), Action: v.Session.Path(numberPath)})
}

func (v visit) addNumber() {
	err := v.Restricted.AddNumber(v.r.Context(), v.tenant(), v.secret(), words.PlainDigits(v.r.PostFormValue("code")), v.meta())
	switch code := codeOf(err); {
	case err == nil:
		// It is there, and of use only when its first day is over.
		v.goTo(Path + "?done=saved")
	case code == "code-refused":
		v.showNumber(http.StatusUnauthorized, pages.FieldError{Field: "code", Key: pages.ErrSentCode})
	case reasons()[code] != "":
		v.showRestricted(http.StatusConflict, identity.FactorSMS, reasons()[code])
	default:
		v.fail(err)
	}
}

// backups links to the codes that somebody may add, and to why not for whom a better
// way lacks.
func (v visit) backups(p *pages.Factors, all []identity.Factor) {
	may, not := v.Restricted.Offered(v.id.Person, all)
	for kind, why := range not {
		if reasons()[why] == pages.WhyFirst {
			may = append(may, kind)
		}
	}
	for _, kind := range may {
		switch kind {
		case identity.FactorEmail:
			p.EmailURL = v.Session.Path(emailPath)
		case identity.FactorSMS:
			p.SMSURL = v.Session.Path(smsPath)
		}
	}
}
