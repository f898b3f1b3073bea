package totp

import (
	"bytes"
	"crypto/subtle"
	"encoding/base32"
	"image"
	"image/draw"
	"image/png"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// Period is the life of one code.
const Period = 30 * time.Second

// secretBytes is the length RFC 4226 §4 R6 recommends: 160 bits.
const secretBytes = 20

// NewSecret gives a fresh shared secret in base32 without padding: the form
// that authenticator apps take and that a Factor keeps.
func NewSecret(src ids.Source) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(src.Bytes(secretBytes))
}

// URI gives the otpauth:// URI that an authenticator app reads from a QR
// code. It holds the secret: show it, never log it.
func URI(issuer, account, secret string) string {
	q := url.Values{"secret": {secret}, "issuer": {issuer}, "period": {"30"}, "digits": {"6"}, "algorithm": {"SHA1"}}
	// Some apps read "+" literally, so spaces are sent as %20.
	return "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// Codes checks codes and begins secrets. The zero value checks.
type Codes struct {
	// Issuer is what authenticator apps call this server.
	Issuer string
}

// NewSecret is the function of that name.
func (Codes) NewSecret(src ids.Source) string { return NewSecret(src) }

// URI is the function of that name for this issuer.
func (c Codes) URI(account, secret string) string { return URI(c.Issuer, account, secret) }

// Check reports whether code is right at now, allowing one period of skew,
// and which time step it belongs to. Spaces in the code are ignored. Whether
// the step was used before is the caller's to say. Errors: errs.Internal when
// the stored secret is not base32.
func (Codes) Check(secret []byte, code string, now time.Time) (step int64, ok bool, err error) {
	code = strings.ReplaceAll(code, " ", "")
	current := now.Unix() / int64(Period/time.Second)
	for _, s := range []int64{current - 1, current, current + 1} {
		want, err := Code(string(secret), s)
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// Code gives the code of a time step (Unix seconds divided by Period), for
// tools that stand in for an authenticator app. Errors: errs.Internal when
// the secret is not base32 or the step is negative.
func Code(secret string, step int64) (string, error) {
	if step < 0 {
		return "", errs.New(errs.Internal, "totp-step", "The time lies before 1970.")
	}
	code, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", errs.New(errs.Internal, "totp-secret-unreadable", "A stored one-time-password secret is not base32.")
	}
	return code, nil
}

// qrSize is the width of a QR code in pixels, qrQuiet that of the light margin by
// which cameras find it also on a dark page.
const (
	qrSize  = 196
	qrQuiet = 24
)

// QR gives the QR code of an otpauth:// URI as a PNG; it holds the secret. Errors:
// errs.Internal.
func (Codes) QR(uri string) ([]byte, error) {
	key, err := otp.NewKeyFromURL(uri)
	var b bytes.Buffer
	if err == nil {
		var picture image.Image
		if picture, err = key.Image(qrSize, qrSize); err == nil {
			framed := image.NewGray(image.Rect(0, 0, qrSize+2*qrQuiet, qrSize+2*qrQuiet))
			draw.Draw(framed, framed.Bounds(), image.White, image.Point{}, draw.Src)
			draw.Draw(framed, picture.Bounds().Add(image.Pt(qrQuiet, qrQuiet)), picture, image.Point{}, draw.Src)
			err = png.Encode(&b, framed)
		}
	}
	if err != nil {
		return nil, errs.New(errs.Internal, "totp-qr", "The QR code cannot be drawn.")
	}
	return b.Bytes(), nil
}
