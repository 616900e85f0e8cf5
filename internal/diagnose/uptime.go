package diagnose

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// parseUptime reads how long a machine has been up from the text of uptime(1), whole minutes.
func parseUptime(text string) (time.Duration, bool) {
	_, rest, ok := strings.Cut(text, "up ")
	if !ok {
		return 0, false
	}
	m := regexp.MustCompile(`^\s*(?:(\d{1,5}) days?,\s*)?(?:(\d{1,2}):(\d{2})|(\d{1,3}) min|(\d{1,3}) hrs?)?\s*(?:,|$)`).FindStringSubmatch(rest)
	if m == nil || m[1] == "" && m[2] == "" && m[4] == "" && m[5] == "" {
		return 0, false
	}
	number := func(s string) time.Duration {
		n, _ := strconv.Atoi(s) // digits only, and few; none is 0
		return time.Duration(n)
	}
	return number(m[1])*24*time.Hour + (number(m[2])+number(m[5]))*time.Hour + (number(m[3])+number(m[4]))*time.Minute, true
}
