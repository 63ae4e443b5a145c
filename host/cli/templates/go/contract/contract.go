// Package contract is wit/detector.wit in Go: what the host and a detector pass to each other. What it means is
// said there.
package contract

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Detector is what a detector implements, and passes to Export in an init function.
type Detector interface {
	// Describe says what this detector is.
	Describe() Metadata
	// Configure sets the settings, and returns the further columns that the detector needs.
	Configure(settings Settings) ([]ColumnRequest, error)
	// Classify returns the anomalous rows of a batch, in its order.
	Classify(batch *Batch) ([]Anomaly, error)
	// Finish is called once after the last batch.
	Finish() error
}

// Metadata is what a detector says about itself.
type Metadata struct {
	Name, Version, Description string
	Settings                   []SettingDescription
	Ordering                   Ordering
}

// Ordering says how the host may spread rows over several instances of a detector.
type Ordering uint8

const (
	// Any row to any instance: each is judged by itself.
	Any Ordering = iota
	// PerUser gives all rows of a user to one instance, in file order.
	PerUser
	// File gives all rows to one instance, in file order.
	File
)

// SettingDescription is one thing about a detector that its user can set.
type SettingDescription struct {
	Name string
	Kind SettingKind
	// Default is the value if none is given; nil makes the setting optional.
	Default *string
	Doc     string
}

// Default is a setting's default.
func Default(value string) *string { return &value }

// SettingKind is what kind of value a setting takes.
type SettingKind uint8

// The kinds of settings.
const (
	Text SettingKind = iota
	Integer
	Decimal
	Boolean
)

// Settings are the values by name. The host has checked names and kinds, and filled in the defaults.
type Settings map[string]string

// Cents is a decimal in hundredths, exactly: money never passes through a float.
func (settings Settings) Cents(name string) (int64, error) {
	whole, decimals, _ := strings.Cut(settings[name], ".")
	decimals = strings.TrimRight(decimals, "0")
	if len(decimals) <= 2 {
		if cents, err := strconv.ParseInt(whole+(decimals + "00")[:2], 10, 64); err == nil {
			return cents, nil
		}
	}
	return 0, InvalidSetting(name, "it must be an amount such as `12.50`")
}

// Integer is the value of a setting of this kind.
func (settings Settings) Integer(name string) (int64, error) {
	value, err := strconv.ParseInt(settings[name], 10, 64)
	if err != nil {
		return 0, InvalidSetting(name, "it must be an integer")
	}
	return value, nil
}

// Float is the value of a decimal where rounding does not matter.
func (settings Settings) Float(name string) (float64, error) {
	value, err := strconv.ParseFloat(settings[name], 64)
	if err != nil {
		return 0, InvalidSetting(name, "it must be a number")
	}
	return value, nil
}

// Boolean is the value of a setting of this kind.
func (settings Settings) Boolean(name string) bool { return settings[name] == "true" }

// ColumnRequest asks for a further column of the file.
type ColumnRequest struct {
	Name     string
	Kind     ColumnKind
	Required bool
}

// ColumnKind is how the values of a further column are passed.
type ColumnKind uint8

// The kinds of columns.
const (
	TextColumn ColumnKind = iota
	NumberColumn
)

// Batch is rows in file order, column by column.
type Batch struct {
	UserIDs []int64
	// Amounts are in hundredths.
	Amounts []int64
	// Timestamps are microseconds since 1970.
	Timestamps []int64
	// Columns are those that Configure asked for, in its order.
	Columns []Column
}

// Column is a further column: of texts, of numbers, or neither of them if the file has none.
type Column struct {
	// Codes says for each row which entry of the dictionary it has.
	Codes      []uint32
	Dictionary []string
	// Numbers has NaN where the cell is empty.
	Numbers []float64
}

// Text is a row's text in a column of texts.
func (column *Column) Text(row int) string { return column.Dictionary[column.Codes[row]] }

// Anomaly is one row that the detector calls anomalous.
type Anomaly struct {
	Row   uint32
	Score float64
	// Reason is one line. What may not be in it is escaped, and what is too long is cut.
	Reason string
}

// Error is an error with a meaning to the host; any other error is internal.
type Error struct {
	setting, message string
}

func (e *Error) Error() string {
	if e.setting != "" {
		return fmt.Sprintf("setting `%s`: %s", e.setting, e.message)
	}
	return e.message
}

// InvalidSetting refuses a setting's value; the message says what would be right.
func InvalidSetting(name, message string) error { return &Error{name, message} }

// InvalidInput says that rows cannot be judged, for instance because of their order.
func InvalidInput(message string) error { return &Error{"", message} }

// Level is how much a message in the log matters.
type Level uint32

// The levels of messages.
const (
	Debug Level = iota
	Info
	Warn
	Severe
)

// Log writes a message into the host's log. fmt.Println does, too, at the level Info.
func Log(level Level, format string, arguments ...any) {
	log(level, strings.ToValidUTF8(fmt.Sprintf(format, arguments...), "\uFFFD"))
}

const maxReasonBytes = 1_000

// printable is a reason as the host takes it.
func printable(reason string) string {
	isPlain := len(reason) <= maxReasonBytes
	for i := 0; isPlain && i < len(reason); i++ {
		isPlain = reason[i] >= ' ' && reason[i] < 0x7F
	}
	if isPlain {
		return reason
	}
	var shown []byte
	for _, character := range reason {
		before := len(shown)
		if unicode.IsControl(character) || unicode.In(character, unicode.Cf, unicode.Zl, unicode.Zp) {
			shown = fmt.Appendf(shown, `\u{%x}`, character)
		} else {
			shown = utf8.AppendRune(shown, character)
		}
		if len(shown) > maxReasonBytes {
			return string(shown[:before])
		}
	}
	return string(shown)
}
