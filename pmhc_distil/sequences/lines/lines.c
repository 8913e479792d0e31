/* Rows of a table as lines of text, numbers as Python writes them.
 *
 * A plain shared library without Python in it: delimited_lines.py loads it with ctypes.
 */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column of texts, or of numbers that are rounded to so many digits; one of both is NULL.  Text i begins at ends[i],
 * and what is between it and the next are so many bytes. */
typedef struct {
    const char *texts;
    const int64_t *ends;
    int64_t between;
    const double *numbers;
    int64_t digits;
} Column;

enum { EXACT = 22 }; /* 10 to the power of so much is a double */

static const double POWERS[EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                         1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Write the significant digits of a positive number, without zeros behind the last, and the exponent of the first. */
static int significant(double x, int digits, char *to, int *exponent) {
    /* The logarithm to base 2 tells it, or the one before it. */
    int power = (int)floor(ilogb(x) * 0.30102999566398120);
    const int shift = digits - 1 - power;
    if (shift <= -EXACT || shift >= EXACT) { /* far from what is common; the smallest numbers have fewer digits */
        char text[40];
        const int most = digits;
        for (digits = 1;; digits++) {
            snprintf(text, sizeof text, "%.*e", digits - 1, x);
            if (strtod(text, NULL) == x || digits == most) break;
        }
        *exponent = atoi(strchr(text, 'e') + 1);
        to[0] = text[0];
        if (digits > 1) memcpy(to + 1, text + 2, (size_t)digits - 1);
    } else {
        int64_t whole = llrint(shift < 0 ? x / POWERS[-shift] : x * POWERS[shift]);
        if (whole >= (int64_t)POWERS[digits]) {
            power++;
            whole = llrint(shift < 1 ? x / POWERS[1 - shift] : x * POWERS[shift - 1]);
        } else if (whole < (int64_t)POWERS[digits - 1]) {
            power--;
            whole = llrint(shift < -1 ? x / POWERS[-1 - shift] : x * POWERS[shift + 1]);
        }
        for (int i = digits; i--; whole /= 10) to[i] = (char)('0' + whole % 10);
        *exponent = power;
    }
    while (digits > 1 && to[digits - 1] == '0') digits--;
    return digits;
}

static char *put_digits(char *to, const char *from, int from_count, int count) {
    for (int i = 0; i < count; i++) *to++ = i < from_count ? from[i] : '0';
    return to;
}

/* Write a number as Python's repr() does; nothing for NaN. */
static char *put_number(char *to, double x, int digits) {
    char found[20];
    int power, count;
    if (isnan(x)) return to;
    if (signbit(x)) *to++ = '-', x = -x;
    if (isinf(x)) return (char *)memcpy(to, "inf", 3) + 3;
    if (x == 0.0) return (char *)memcpy(to, "0.0", 3) + 3;
    count = significant(x, digits, found, &power);
    if (power < -4 || power >= 16) {
        *to++ = found[0];
        if (count > 1) {
            *to++ = '.';
            to = put_digits(to, found + 1, count - 1, count - 1);
        }
        return to + sprintf(to, "e%c%02d", power < 0 ? '-' : '+', abs(power));
    }
    if (power < 0) {
        to = (char *)memcpy(to, "0.", 2) + 2;
        to = put_digits(to, "", 0, -1 - power);
        return put_digits(to, found, count, count);
    }
    to = put_digits(to, found, count, power + 1);
    *to++ = '.';
    return count > power + 1 ? put_digits(to, found + power + 1, count - power - 1, count - power - 1)
                             : put_digits(to, "", 0, 1);
}

/* Write rows, each ended by a line feed; `to` has room for 32 bytes a number and for all texts.  Returns the bytes. */
int64_t pmhc_lines(int64_t rows, int64_t count, const Column *columns, char delimiter, char *to) {
    char *const start = to;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t number = 0; number < count; number++) {
            const Column *column = columns + number;
            if (column->texts) {
                const int64_t *ends = column->ends + row;
                const size_t size = (size_t)(ends[1] - ends[0] - column->between);
                memcpy(to, column->texts + ends[0], size);
                to += size;
            } else {
                to = put_number(to, column->numbers[row], (int)column->digits);
            }
            *to++ = number + 1 < count ? delimiter : '\n';
        }
    return to - start;
}
