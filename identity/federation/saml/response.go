package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/beevik/etree"

	"github.com/mandate-health/mandate/identity/federation"
)

// maxAnswer bounds an answer, in bytes of XML.
const maxAnswer = 96 << 10

// reasonUnasked is that of an answer to no request.
const reasonUnasked = "answer-unasked"

func refuse(reason string, cause error) error {
	return &federation.Refused{Reason: reason, Cause: cause}
}

// errDenied is an answer that says that nobody signed in.
var errDenied = errors.New("the provider says that the person did not sign in")

// judged is what a judgement needs: the keys of the provider and ours.
type judged struct {
	wanted
	keys []*x509.Certificate
	own  *rsa.PrivateKey
}

// judge reads an answer and gives the assertion that it carries, if it counts. Errors:
// federation.Refused.
func (j judged) judge(encoded string) (a assertion, err error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil || len(raw) == 0 || len(raw) > maxAnswer {
		return a, refuse("answer-unreadable", err)
	}
	root, err := read(raw, maxElements)
	if err != nil {
		return a, refuse("answer-unreadable", err)
	}
	if !is(root, nsProtocol, "Response") || root.SelectAttrValue("Version", "") != version {
		return a, refuse("answer-form", nil)
	}
	signed, err := j.signed(root)
	if err != nil {
		return a, err
	}
	if err := j.envelope(root); err != nil {
		return a, err
	}
	el, err := j.carried(root, signed)
	if err != nil {
		return a, err
	}
	covered, err := verify(el, j.keys, j.now)
	if errors.Is(err, errUnsigned) {
		return a, refuse("answer-unsigned", nil)
	}
	if err != nil {
		return a, refuse("answer-signature", err)
	}
	if a, err = decode(covered); err != nil {
		return a, refuse("answer-form", err)
	}
	if reason := a.fault(j.wanted); reason != "" {
		return a, refuse(reason, nil)
	}
	if to := root.SelectAttrValue("InResponseTo", ""); to != a.request(j.wanted) {
		return a, refuse("answer-request", nil)
	}
	return a, nil
}

// signed reports whether the response is signed; a signature that is there must be good.
func (j judged) signed(root *etree.Element) (bool, error) {
	_, err := verify(root, j.keys, j.now)
	switch {
	case errors.Is(err, errUnsigned):
		return false, nil
	case err != nil:
		return false, refuse("answer-signature", err)
	}
	return true, nil
}

// envelope judges what stands around the assertion (SAML Core §3.2.2).
func (j judged) envelope(root *etree.Element) error {
	switch issuer := only(root, nsAssertion, "Issuer"); {
	case issuer == nil && len(children(root, nsAssertion, "Issuer")) > 0, issuer != nil && strings.TrimSpace(issuer.Text()) != j.entity:
		return refuse("answer-issuer", nil)
	case root.SelectAttrValue("Destination", j.recipient) != j.recipient:
		return refuse("answer-recipient", nil)
	}
	const success = "urn:oasis:names:tc:SAML:2.0:status:Success"
	code := only(only(root, nsProtocol, "Status"), nsProtocol, "StatusCode")
	if code == nil {
		return refuse("answer-form", nil)
	}
	if code.SelectAttrValue("Value", "") == success {
		return nil
	}
	if second := only(code, nsProtocol, "StatusCode"); second != nil {
		switch strings.TrimPrefix(second.SelectAttrValue("Value", ""), "urn:oasis:names:tc:SAML:2.0:status:") {
		case "AuthnFailed", "RequestDenied", "UnknownPrincipal":
			return refuse("answer-denied", errDenied)
		}
	}
	return refuse("answer-status", nil)
}

// carried gives the one assertion, readable. More than one, or one in another place,
// is how signatures are wrapped.
func (j judged) carried(root *etree.Element, signed bool) (*etree.Element, error) {
	open, shut := only(root, nsAssertion, "Assertion"), only(root, nsAssertion, "EncryptedAssertion")
	if count(root, "Assertion")+count(root, "EncryptedAssertion") != 1 || count(root, "Response") != 1 || open == nil && shut == nil {
		return nil, refuse("answer-wrapped", nil)
	}
	if open != nil {
		return open, nil
	}
	plain, err := decrypt(shut, j.own, signed)
	if err != nil {
		return nil, refuse("answer-cipher", err)
	}
	el, err := read(plain, maxElements)
	if err != nil || !is(el, nsAssertion, "Assertion") || count(el, "Assertion") != 1 || count(el, "EncryptedAssertion") > 0 {
		return nil, refuse("answer-cipher", err)
	}
	return el, nil
}
