package oauth

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func devices() []kit.Row {
	return []kit.Row{
		{ID: "MANDATE DEV-01", Title: "a device gets two codes, an address for people and its waiting time", Needs: kit.Device, Run: devBegin},
		{ID: "MANDATE DEV-02", Title: "a person lets a device in elsewhere; it gets its tokens with the patient, once", Needs: kit.Login | kit.Device, Run: devAllowed},
		{ID: "MANDATE DEV-03", Title: "who is not let in is told access_denied", Needs: kit.Login | kit.Device, Run: devDenied},
		{ID: "MANDATE DEV-04", Title: "a device that hurries is slowed down", Needs: kit.Device, Run: devSlow},
		{ID: "MANDATE DEV-05", Title: "a client that is no device, and a code that is none, get nothing", Needs: kit.Device | kit.Login, Run: devRefused},
	}
}

var userCode = regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)

const deviceScope = "launch/patient patient/Patient.rs offline_access"

func devBegin(ctx context.Context, t *kit.Target) error {
	res, err := t.BeginDevice(ctx, t.DeviceClient(), deviceScope)
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(res.Status == http.StatusOK && len(res.Text("device_code")) >= 22, "%s", res)
	c.That(userCode.MatchString(res.Text("user_code")), "the user code is no eight consonants")
	c.That(strings.Contains(res.Header.Get("Cache-Control"), "no-store"), "Cache-Control is %q", res.Header.Get("Cache-Control"))
	in, _ := res.JSON()["expires_in"].(float64)
	every, _ := res.JSON()["interval"].(float64)
	c.That(in > 0 && in <= 1800 && every >= 5, "expires_in %v, interval %v", in, every)
	page := res.Text("verification_uri")
	c.That(page != "" && strings.HasPrefix(res.Text("verification_uri_complete"), page), "verification_uri %q", page)
	return c.Err()
}

func devAllowed(ctx context.Context, t *kit.Target) error {
	device := t.DeviceClient()
	res, err := t.BeginDevice(ctx, device, deviceScope)
	if err != nil {
		return err
	}
	var c kit.Check
	code := res.Text("device_code")
	waits, err := t.Poll(ctx, device, code)
	if c.Note(err) {
		c.That(waits.Status == http.StatusBadRequest && waits.Text("error") == "authorization_pending", "before: %s", waits)
	}
	typed := strings.ToLower(strings.ReplaceAll(res.Text("user_code"), "-", " "))
	a, err := t.Connect(ctx, res.Text("verification_uri"), typed, kit.Visit{Person: t.Patient()})
	if !c.Note(err) {
		return c.Err()
	}
	if !c.That(a.ConsentPage != nil, "no consent was asked: %s", a) {
		return c.Err()
	}
	c.That(strings.Contains(strings.ReplaceAll(a.ConsentPage.Text(), "\u00a0", " "), res.Text("user_code")), "the consent page does not show the code of the device")
	got, err := t.Poll(ctx, device, code)
	if !c.Note(err) || !c.That(got.Status == http.StatusOK && got.Text("access_token") != "", "after: %s", got) {
		return c.Err()
	}
	c.That(got.Text("patient") != "" && got.Text("scope") != "" && got.Text("refresh_token") != "", "patient %q, scope %q", got.Text("patient"), got.Text("scope"))
	read, err := t.FHIR(ctx, got.Text("access_token"), "Patient/"+got.Text("patient"))
	if c.Note(err) {
		c.That(read.Status == http.StatusOK, "%s", read)
	}
	again, err := t.Poll(ctx, device, code)
	if c.Note(err) {
		c.That(again.Status == http.StatusBadRequest && again.Text("error") == "invalid_grant", "again: %s", again)
	}
	if read, err = t.FHIR(ctx, got.Text("access_token"), "Patient/"+got.Text("patient")); c.Note(err) {
		c.That(read.Status == http.StatusUnauthorized, "the code was used twice and the token lives: %s", read)
	}
	return c.Err()
}

func devDenied(ctx context.Context, t *kit.Target) error {
	device := t.DeviceClient()
	res, err := t.BeginDevice(ctx, device, deviceScope)
	if err != nil {
		return err
	}
	if _, err = t.Connect(ctx, res.Text("verification_uri_complete"), res.Text("user_code"), kit.Visit{Person: t.Patient(), Deny: true}); err != nil {
		return err
	}
	var c kit.Check
	got, err := t.Poll(ctx, device, res.Text("device_code"))
	if c.Note(err) {
		c.That(got.Status == http.StatusBadRequest && got.Text("error") == "access_denied", "%s", got)
	}
	return c.Err()
}

func devSlow(ctx context.Context, t *kit.Target) error {
	device := t.DeviceClient()
	res, err := t.BeginDevice(ctx, device, deviceScope)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, want := range []string{"authorization_pending", "slow_down", "slow_down"} {
		got, err := t.Poll(ctx, device, res.Text("device_code"))
		if c.Note(err) {
			c.That(got.Status == http.StatusBadRequest && got.Text("error") == want, "%s", got)
		}
	}
	return c.Err()
}

func devRefused(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	res, err := t.BeginDevice(ctx, t.Client("public"), deviceScope)
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "unauthorized_client", "%s", res)
	}
	res, err = t.Poll(ctx, t.DeviceClient(), t.Random())
	if c.Note(err) {
		c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_grant", "%s", res)
	}
	mine, err := t.BeginDevice(ctx, t.DeviceClient(), deviceScope)
	if !c.Note(err) {
		return c.Err()
	}
	a, err := t.Connect(ctx, mine.Text("verification_uri"), "BCDF-GHJK", kit.Visit{Person: t.Patient()})
	if c.Note(err) {
		c.That(a.Last.Status >= 400 && a.Last.FormWith("user_code") != nil, "a code that nobody has: %s", a)
	}
	return c.Err()
}
