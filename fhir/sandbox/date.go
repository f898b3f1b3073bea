package sandbox

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// span is a half-open range of time in microseconds since 1970, UTC.
type span struct{ lo, hi int64 }

const (
	beginning = math.MinInt64
	forever   = math.MaxInt64
)

// parseDate reads a FHIR date, dateTime or instant, at any precision down to
// the year, as the span it covers (FHIR R4 search.html#date). A time without
// zone is UTC.
func parseDate(s string) (span, error) {
	bad := fmt.Errorf("%q is not a FHIR date", s)
	d := digits{s: s}
	year := d.next(4, 0)
	switch {
	case d.bad:
		return span{}, bad
	case d.s == "":
		return between(year, 1, 1, 1, 0, 0)
	}
	month := d.next(2, '-')
	if d.bad || month < 1 || month > 12 {
		return span{}, bad
	}
	if d.s == "" {
		return between(year, month, 1, 0, 1, 0)
	}
	day := d.next(2, '-')
	if d.bad || day < 1 || day > daysIn(year, month) {
		return span{}, bad
	}
	if d.s == "" {
		return between(year, month, day, 0, 0, 1)
	}
	lo, width, ok := d.clock()
	if !ok {
		return span{}, bad
	}
	lo += time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).UnixMicro()
	return span{lo, lo + width}, nil
}

func between(year, month, day, years, months, days int) (span, error) {
	from := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return span{from.UnixMicro(), from.AddDate(years, months, days).UnixMicro()}, nil
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// digits takes fixed-width numbers off a string.
type digits struct {
	s   string
	bad bool
}

// next reads n digits after the separator (0: none).
func (d *digits) next(n int, sep byte) int {
	if sep != 0 {
		if d.s == "" || d.s[0] != sep {
			d.bad = true
			return 0
		}
		d.s = d.s[1:]
	}
	if len(d.s) < n {
		d.bad = true
		return 0
	}
	v := 0
	for i := range n {
		c := d.s[i]
		if c < '0' || c > '9' {
			d.bad = true
			return 0
		}
		v = v*10 + int(c-'0')
	}
	d.s = d.s[n:]
	return v
}

// clock reads "Thh:mm[:ss[.fraction]][zone]": microseconds since midnight UTC
// of that date, and the width of the span.
func (d *digits) clock() (at, width int64, ok bool) {
	hour, minute, second := d.next(2, 'T'), d.next(2, ':'), 0
	width = time.Minute.Microseconds()
	fraction := int64(0)
	if strings.HasPrefix(d.s, ":") {
		second = d.next(2, ':')
		width = time.Second.Microseconds()
		fraction, width = d.fraction(width)
	}
	if d.bad || hour > 23 || minute > 59 || second > 60 {
		return 0, 0, false
	}
	offset, ok := d.zone()
	seconds := int64(hour*3600+minute*60+second) - offset
	return seconds*1_000_000 + fraction, width, ok
}

// fraction reads an optional ".digits": microseconds, and the narrower width.
func (d *digits) fraction(width int64) (int64, int64) {
	rest, found := strings.CutPrefix(d.s, ".")
	if !found {
		return 0, width
	}
	if rest == "" || rest[0] < '0' || rest[0] > '9' {
		d.bad = true
		return 0, width
	}
	v, unit := int64(0), width
	for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		if unit > 1 {
			unit /= 10
			v += int64(rest[0]-'0') * unit
		}
		rest = rest[1:]
	}
	d.s = rest
	return v, unit
}

// zone reads what is left as Z or an offset: seconds east of UTC.
func (d *digits) zone() (int64, bool) {
	if d.s == "" || d.s == "Z" {
		return 0, true
	}
	sign := int64(1)
	switch d.s[0] {
	case '-':
		sign = -1
	case '+', ' ': // an unescaped + arrives from a query as a space
	default:
		return 0, false
	}
	d.s = d.s[1:]
	hours, minutes := d.next(2, 0), d.next(2, ':')
	if d.bad || d.s != "" || hours > 14 || minutes > 59 {
		return 0, false
	}
	return sign * int64(hours*3600+minutes*60), true
}

// comparators are the value prefixes of FHIR R4 search.html#prefix.
var comparators = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// cutComparator splits a leading comparator off a search value; eq when there
// is none.
func cutComparator(s string) (op, rest string) {
	for _, c := range comparators {
		if rest, ok := strings.CutPrefix(s, c); ok {
			return c, rest
		}
	}
	return "eq", s
}

// matches compares a resource's span with a searched one. now widens "ap" to
// a tenth of the distance between now and the date.
func (want span) matches(op string, have span, now int64) bool {
	within := want.lo <= have.lo && have.hi <= want.hi
	switch op {
	case "ne":
		return !within
	case "gt":
		return have.hi > want.hi
	case "lt":
		return have.lo < want.lo
	case "ge":
		return have.hi > want.hi || within
	case "le":
		return have.lo < want.lo || within
	case "sa":
		return have.lo >= want.hi
	case "eb":
		return have.hi <= want.lo
	case "ap":
		slack := (now - want.lo) / 10
		if slack < 0 {
			slack = -slack
		}
		return have.lo < want.hi+slack && have.hi > want.lo-slack
	}
	return within
}
