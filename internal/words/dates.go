package words

import (
	"strconv"
	"strings"
	"time"
)

// Date gives the day of t, in t's own location, in words: "20 May 2027",
// "20 de mayo de 2027". A zero time gives "".
func (c *Catalogue) Date(lang string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return c.day(lang, t.Year(), int(t.Month()), t.Day())
}

// DateTime gives t, in t's own location, in words with the time of day: "20 May
// 2027, 14:05 UTC". A zero time gives "".
func (c *Catalogue) DateTime(lang string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return c.T(lang, "date.time", Args{"date": c.Date(lang, t), "time": c.digits(lang, t.Format("15:04 MST"))})
}

// PartialDate gives a FHIR date (2006, 2006-01 or 2006-01-02) in words; what is
// no FHIR date comes back as it is.
func (c *Catalogue) PartialDate(lang, date string) string {
	parts := strings.Split(date, "-")
	nums := make([]int, 0, 3)
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil {
			return date
		}
		nums = append(nums, n)
	}
	if len(nums) > 1 && (nums[1] < 1 || nums[1] > 12) {
		return date
	}
	switch len(nums) {
	case 2:
		return c.T(lang, "date.month_year", Args{"month": c.month(lang, nums[1]), "year": c.digits(lang, strconv.Itoa(nums[0]))})
	case 3:
		return c.day(lang, nums[0], nums[1], nums[2])
	}
	return c.digits(lang, date)
}

func (c *Catalogue) day(lang string, year, month, day int) string {
	return c.T(lang, "date.day", Args{
		"day":   c.digits(lang, strconv.Itoa(day)),
		"month": c.month(lang, month),
		"year":  c.digits(lang, strconv.Itoa(year)),
	})
}

func (c *Catalogue) month(lang string, month int) string {
	return c.T(lang, "month."+strconv.Itoa(month), nil)
}
