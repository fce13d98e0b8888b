package datetime

import "time"

// yearMax bounds years, so that milliseconds since 1970 stay far from overflow.
const yearMax = 200_000

// resolve turns the fields into a moment, as java.time's SMART style does.
func (f *fields) resolve() (time.Time, bool) {
	year, month, day, ok := f.date()
	if !ok || year > yearMax || year < -yearMax {
		return time.Time{}, false
	}
	inDay, ok := f.time()
	if !ok {
		return time.Time{}, false
	}
	zone := f.zone
	if zone == nil {
		zone = time.UTC
	}
	midnight := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if f.set[fieldWeekday] && isoWeekday(midnight) != f.value[fieldWeekday] {
		return time.Time{}, false
	}
	clock := midnight.Add(inDay)
	return time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(),
		clock.Nanosecond(), zone), true
}

func (f *fields) date() (year, month, day int, ok bool) {
	year, ok = f.year()
	if !ok {
		return 0, 0, 0, false
	}
	if f.set[fieldMonth] && f.set[fieldDay] {
		return f.monthDay(year)
	}
	days := f.value[fieldDayOfYear]
	if !f.set[fieldDayOfYear] || days < 1 || days > daysIn(year) {
		return 0, 0, 0, false
	}
	return year, 1, days, true // time.Date carries the days over into their month
}

func (f *fields) monthDay(year int) (int, int, int, bool) {
	month, day := f.value[fieldMonth], f.value[fieldDay]
	if month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, 0, 0, false
	}
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return year, month, min(day, last), true // the 31st of a shorter month is its last day
}

func daysIn(year int) int {
	return time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC).YearDay()
}

func (f *fields) year() (int, bool) {
	switch {
	case f.set[fieldYear]:
		return f.value[fieldYear], true
	case !f.set[fieldYearOfEra]:
		return 0, false
	case f.set[fieldEra] && f.value[fieldEra] == 0:
		return 1 - f.value[fieldYearOfEra], f.value[fieldYearOfEra] > 0
	}
	return f.value[fieldYearOfEra], f.value[fieldYearOfEra] > 0
}

// time gives what has passed since midnight; nothing where no time was written.
func (f *fields) time() (time.Duration, bool) {
	if f.set[fieldNanoOfDay] {
		return time.Duration(f.value[fieldNanoOfDay]), f.within(fieldNanoOfDay, int(24*time.Hour))
	}
	if f.set[fieldMilliOfDay] {
		return time.Duration(f.value[fieldMilliOfDay]) * time.Millisecond, f.within(fieldMilliOfDay, 24*3600*1000)
	}
	hour, known, ok := f.hour()
	partial := f.set[fieldMinute] || f.set[fieldSecond] || f.set[fieldNano]
	if !ok || !known && partial {
		return 0, false
	}
	if !f.within(fieldMinute, 60) || !f.within(fieldSecond, 60) || !f.within(fieldNano, 1_000_000_000) {
		return 0, false
	}
	return time.Duration(hour)*time.Hour + time.Duration(f.value[fieldMinute])*time.Minute +
		time.Duration(f.value[fieldSecond])*time.Second + time.Duration(f.value[fieldNano]), true
}

// within says whether a field, 0 where it was not read, lies in [0, limit).
func (f *fields) within(name fieldName, limit int) bool {
	return f.value[name] >= 0 && f.value[name] < limit
}

// hour gives the hour of the day; known is false where none was written.
func (f *fields) hour() (hour int, known, ok bool) {
	switch {
	case f.set[fieldHour]:
		return f.value[fieldHour], true, f.within(fieldHour, 24)
	case f.set[fieldClockHour]:
		hour = f.value[fieldClockHour]
		return hour % 24, true, hour >= 1 && hour <= 24
	case f.set[fieldClockHalf]:
		hour = f.value[fieldClockHalf]
		return hour%12 + 12*f.value[fieldHalfDay], true, f.set[fieldHalfDay] && hour >= 1 && hour <= 12
	case f.set[fieldHourOfHalf]:
		hour = f.value[fieldHourOfHalf]
		return hour + 12*f.value[fieldHalfDay], true, f.set[fieldHalfDay] && f.within(fieldHourOfHalf, 12)
	}
	return 0, false, !f.set[fieldHalfDay]
}
