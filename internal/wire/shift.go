package wire

import (
	"reflect"
	"time"

	"strata/internal/fleet"
)

// moved puts a time of another machine's clock onto ours. The zero time is none and stays so.
func moved(t time.Time, shift time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(shift)
}

// shiftTimes moves every time in a fresh object.
func shiftTimes(o fleet.Object, shift time.Duration) {
	if shift != 0 {
		shiftValue(reflect.ValueOf(o), shift)
	}
}

func shiftValue(v reflect.Value, shift time.Duration) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			shiftValue(v.Elem(), shift)
		}
	case reflect.Struct:
		if t, ok := v.Addr().Interface().(*time.Time); ok {
			*t = moved(*t, shift)
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				shiftValue(f, shift)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			shiftValue(v.Index(i), shift)
		}
	}
}
