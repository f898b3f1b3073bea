package words

import (
	"regexp"
	"strings"
	"testing"
)

// blaming are words that find fault with who reads, by language. The last ones of
// each row speak of a thing as forbidden or worthless.
var blaming = map[string]*regexp.Regexp{
	"en": regexp.MustCompile(`(?i)\b(your (fault|mistake|error)|you (failed|forgot|made|entered|must not have)|invalid|illegal|incorrect|improper|forbidden|denied|unauthori[sz]ed|bad (request|input|password)|wrong (password|code|name|address))\b`),
	"es": regexp.MustCompile(`(?i)\b(su (error|fallo|culpa)|culpa suya|usted (olvidó|falló|se equivocó|debió|cometió)|inválid[oa]s?|incorrect[oa]s?|ilegal|prohibid[oa]s?|denegad[oa]s?|no autorizad[oa]s?)\b`),
	"ar": regexp.MustCompile(`خطأك|ذنبك|أخطأت|نسيت|فشلت|لم تقم|غير صالح|غير قانوني|محظور|ممنوع|مرفوض`),
}

// freeing say that nobody is to blame, or name what somebody else decided about an app
// or a person for those who look at it, or ask kindly.
var freeing = []string{
	"error.server_error.means", "activity.refused", "operator-client.outcome.refused", "matter.ground_hint", "matter.outcome.upheld",
	"regain.lead", "signin.forgot", "error.invalid_grant.means",
}

// SG-19, screens rule 5: no text finds fault with whoever reads it.
func TestNoTextBlames(t *testing.T) {
	c := catalogue(t)
	for _, l := range Languages() {
		free := map[string]bool{}
		for _, key := range freeing {
			free[key] = true
		}
		for key, text := range c.texts[l.Code] {
			if hit := blaming[l.Code].FindString(text); hit != "" && !free[key] && !strings.HasPrefix(key, "screens.") {
				t.Errorf("%s %s: %q blames in %q", l.Code, key, hit, text)
			}
		}
	}
}

// cold are words for the dead as if they were an account, or that deny the loss.
var cold = map[string]*regexp.Regexp{
	"en": regexp.MustCompile(`(?i)\b(expired|deceased|decedent|terminated|dead (person|patient|user)|late (patient|user))\b`),
	"es": regexp.MustCompile(`(?i)\b(caducad[oa]s?|expirad[oa]s?|vencid[oa]s?|difunt[oa]s?|finad[oa]s?|occis[oa]|paciente muerto|usuario fallecido)\b`),
	"ar": regexp.MustCompile(`منتهي الصلاحية|انتهت صلاحيت|الهالك|المستخدم المتوفى|ميت`),
}

// ofDeath are the keys of texts that speak of somebody who has died.
var ofDeath = regexp.MustCompile(`deceased|bereaved|mourn|\.(died|die|report|revive)\b|patient_lives`)

// goingOn are words that treat the dead as if they could go on.
var goingOn = map[string]*regexp.Regexp{
	"en": regexp.MustCompile(`(?i)\b(renew|invite|remind|welcome|upgrade|sign up|longer)`),
	"es": regexp.MustCompile(`(?i)\b(renov|renuev|invit|record(ar|amos|atorio)|bienvenid)`),
	"ar": regexp.MustCompile(`جدد|تجديد|ادع|دعوة|تذكير|أهلا`),
}

// LC-23, SG-19, screens rule 7: who has died is spoken of in the words of bereavement, never as
// something that expired, and nobody is asked to go on as before.
func TestTheDeadAreSpokenOfKindly(t *testing.T) {
	c := catalogue(t)
	for _, l := range Languages() {
		met := 0
		for key, text := range c.texts[l.Code] {
			if strings.HasPrefix(key, "screens.") {
				continue
			}
			if hit := cold[l.Code].FindString(text); hit != "" {
				t.Errorf("%s %s: %q in %q", l.Code, key, hit, text)
			}
			if !ofDeath.MatchString(key) {
				continue
			}
			met++
			if hit := goingOn[l.Code].FindString(text); hit != "" {
				t.Errorf("%s %s: %q in %q", l.Code, key, hit, text)
			}
		}
		if met < 8 {
			t.Errorf("%s: only %d texts speak of the dead", l.Code, met)
		}
	}
	for lang, sorry := range map[string]string{"en": "We are sorry for your loss.", "es": "Lo sentimos mucho.", "ar": "نعزيك"} {
		if text := c.T(lang, "pick-patient.deceased", nil); !strings.Contains(text, sorry) {
			t.Errorf("%s: %q", lang, text)
		}
	}
}
