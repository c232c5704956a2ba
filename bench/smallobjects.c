/*
 * Very many short-lived small objects in one thread: factors a Mersenne number 2^n - 1 over and
 * over with whole numbers of any length, of which every single result is an object of its own on
 * the heap (16 to 64 bytes for the default) and nearly all die within the next few operations.
 *
 * Checks each time that the factors found are prime and that their product is the number.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "check.h"
#include "clock.h"

static size_t exponent = 163;
static size_t repeat_count = 10;

/* The lowest limb comes first, the highest is not zero; so zero has no limbs. */
struct number {
    uint32_t length;
    uint32_t limbs[];
};

#define LIMB_BITS 32

static size_t objects;

/* The limbs are left for the caller to set. */
static struct number *new_number(size_t length) {
    struct number *number = malloc(sizeof(*number) + length * sizeof(number->limbs[0]));
    CHECK(number, "malloc returns memory");
    objects++;
    number->length = (uint32_t)length;
    return number;
}

static struct number *trimmed(struct number *number) {
    while (number->length > 0 && number->limbs[number->length - 1] == 0)
        number->length--;
    return number;
}

static struct number *from_word(uint32_t word) {
    struct number *number = new_number(1);
    number->limbs[0] = word;
    return trimmed(number);
}

static struct number *copy(const struct number *number) {
    struct number *twin = new_number(number->length);
    memcpy(twin->limbs, number->limbs, number->length * sizeof(number->limbs[0]));
    return twin;
}

/* Frees the old object only after the new one was computed from it. */
static void replace(struct number **place, struct number *number) {
    free(*place);
    *place = number;
}

static uint32_t limb(const struct number *number, size_t index) {
    return index < number->length ? number->limbs[index] : 0;
}

static bool is_word(const struct number *number, uint32_t word) {
    return number->length <= 1 && limb(number, 0) == word;
}

static int compare(const struct number *a, const struct number *b) {
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    for (size_t i = a->length; i-- > 0;)
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

static struct number *add(const struct number *a, const struct number *b) {
    size_t length = (a->length > b->length ? a->length : b->length) + 1;
    struct number *sum = new_number(length);
    uint64_t carry = 0;
    for (size_t i = 0; i < length; i++) {
        carry += (uint64_t)limb(a, i) + limb(b, i);
        sum->limbs[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    return trimmed(sum);
}

/* |a - b| */
static struct number *difference(const struct number *a, const struct number *b) {
    if (compare(a, b) < 0)
        return difference(b, a);
    struct number *rest = new_number(a->length);
    uint32_t borrow = 0;
    for (size_t i = 0; i < a->length; i++) {
        uint64_t limbs = (uint64_t)a->limbs[i] - limb(b, i) - borrow;
        rest->limbs[i] = (uint32_t)limbs;
        borrow = limbs >> LIMB_BITS ? 1 : 0;
    }
    return trimmed(rest);
}

static struct number *multiply(const struct number *a, const struct number *b) {
    struct number *product = new_number(a->length + b->length);
    memset(product->limbs, 0, product->length * sizeof(product->limbs[0]));
    for (size_t i = 0; i < a->length; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < b->length; j++) {
            carry += (uint64_t)a->limbs[i] * b->limbs[j] + product->limbs[i + j];
            product->limbs[i + j] = (uint32_t)carry;
            carry >>= LIMB_BITS;
        }
        product->limbs[i + b->length] = (uint32_t)carry;
    }
    return trimmed(product);
}

/* Untrimmed and one limb longer than the number, as long division wants it. */
static struct number *shifted_left(const struct number *number, unsigned bits) {
    struct number *shifted = new_number(number->length + 1);
    uint64_t carry = 0;
    for (size_t i = 0; i < shifted->length; i++) {
        carry |= (uint64_t)limb(number, i) << bits;
        shifted->limbs[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
    return shifted;
}

static struct number *shifted_right(const struct number *number, unsigned bits) {
    struct number *shifted = new_number(number->length);
    for (size_t i = 0; i < number->length; i++) {
        uint64_t limbs = (uint64_t)limb(number, i + 1) << LIMB_BITS | number->limbs[i];
        shifted->limbs[i] = (uint32_t)(limbs >> bits);
    }
    return trimmed(shifted);
}

/* limbs[0..length] -= factor * divisor; returns whether that went below zero. */
static bool subtract_multiple(uint32_t *limbs, const struct number *divisor, uint64_t factor) {
    uint64_t carry = 0;
    for (size_t i = 0; i <= divisor->length; i++) {
        carry += factor * limb(divisor, i);
        uint32_t low = (uint32_t)carry;
        carry = (carry >> LIMB_BITS) + (limbs[i] < low);
        limbs[i] -= low;
    }
    return carry != 0;
}

static void add_back(uint32_t *limbs, const struct number *divisor) {
    uint64_t carry = 0;
    for (size_t i = 0; i <= divisor->length; i++) {
        carry += (uint64_t)limbs[i] + limb(divisor, i);
        limbs[i] = (uint32_t)carry;
        carry >>= LIMB_BITS;
    }
}

/*
 * One digit of a long division: limbs[0..length] is reduced below the divisor, whose highest bit is
 * set, which keeps the estimate from the leading limbs at most two too high.
 */
static uint32_t divide_step(uint32_t *limbs, const struct number *divisor) {
    size_t top = divisor->length;
    uint64_t leading = (uint64_t)limbs[top] << LIMB_BITS | limbs[top - 1];
    uint64_t digit = leading / divisor->limbs[top - 1];
    if (digit > UINT32_MAX)
        digit = UINT32_MAX;
    bool below_zero = subtract_multiple(limbs, divisor, digit);
    while (below_zero) {
        digit--;
        add_back(limbs, divisor);
        below_zero = limbs[top] != 0;
    }
    return (uint32_t)digit;
}

/* Either result may be unwanted. */
static void divide(const struct number *dividend, const struct number *divisor,
                   struct number **quotient, struct number **remainder) {
    CHECK(divisor->length > 0, "nothing is divided by zero");
    unsigned bits = (unsigned)__builtin_clz(divisor->limbs[divisor->length - 1]);
    struct number *rest = shifted_left(dividend, bits);
    struct number *scaled = trimmed(shifted_left(divisor, bits));
    size_t digits = rest->length > scaled->length ? rest->length - scaled->length : 0;
    struct number *digit = new_number(digits);
    for (size_t i = digits; i-- > 0;)
        digit->limbs[i] = divide_step(rest->limbs + i, scaled);
    if (remainder)
        *remainder = shifted_right(trimmed(rest), bits);
    free(rest);
    free(scaled);
    if (quotient)
        *quotient = trimmed(digit);
    else
        free(digit);
}

static struct number *modulo(const struct number *number, const struct number *modulus) {
    struct number *remainder;
    divide(number, modulus, NULL, &remainder);
    return remainder;
}

static struct number *multiply_modulo(const struct number *a, const struct number *b,
                                      const struct number *modulus) {
    struct number *product = multiply(a, b);
    struct number *remainder = modulo(product, modulus);
    free(product);
    return remainder;
}

static struct number *greatest_common_divisor(const struct number *a, const struct number *b) {
    struct number *larger = copy(a);
    struct number *smaller = copy(b);
    while (smaller->length > 0) {
        struct number *rest = modulo(larger, smaller);
        replace(&larger, smaller);
        smaller = rest;
    }
    free(smaller);
    return larger;
}

static struct number *power_modulo(const struct number *base, const struct number *power,
                                   const struct number *modulus) {
    struct number *result = from_word(1);
    for (size_t i = power->length * LIMB_BITS; i-- > 0;) {
        replace(&result, multiply_modulo(result, result, modulus));
        if (power->limbs[i / LIMB_BITS] >> (i % LIMB_BITS) & 1)
            replace(&result, multiply_modulo(result, base, modulus));
    }
    return result;
}

/* The test of Miller and Rabin for one base; number is odd and above the base. */
static bool seems_prime_to(const struct number *number, uint32_t word) {
    struct number *one = from_word(1);
    struct number *last = difference(number, one);
    struct number *odd = copy(last);
    while (limb(odd, 0) % 2 == 0)
        replace(&odd, shifted_right(odd, 1));
    struct number *base = from_word(word);
    struct number *power = power_modulo(base, odd, number);
    bool passes = compare(power, one) == 0 || compare(power, last) == 0;
    while (!passes && compare(odd, last) < 0) {
        replace(&odd, add(odd, odd));
        replace(&power, multiply_modulo(power, power, number));
        passes = compare(odd, last) < 0 && compare(power, last) == 0;
    }
    free(one);
    free(last);
    free(odd);
    free(base);
    free(power);
    return passes;
}

static bool is_divisible(const struct number *number, uint32_t word) {
    struct number *divisor = from_word(word);
    struct number *rest = modulo(number, divisor);
    bool divisible = rest->length == 0;
    free(divisor);
    free(rest);
    return divisible;
}

static bool is_prime(const struct number *number) {
    static const uint32_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        if (is_word(number, bases[i]))
            return true;
        if (is_divisible(number, bases[i]) || !seems_prime_to(number, bases[i]))
            return false;
    }
    return true;
}

/* Steps for which the differences are gathered into one product before its divisor is computed. */
#define STEPS_TOGETHER 32

/* Divisors up to here are tried one by one; above, most walks take more than STEPS_TOGETHER. */
#define LARGEST_TRIED 1000

/* The walk x -> x^2 + offset of Pollard's rho, against a point that stays behind. */
struct walk {
    const struct number *modulus;
    struct number *offset;
    struct number *behind;
    struct number *ahead;
};

static void step(struct walk *walk) {
    struct number *square = multiply(walk->ahead, walk->ahead);
    struct number *sum = add(square, walk->offset);
    replace(&walk->ahead, modulo(sum, walk->modulus));
    free(square);
    free(sum);
}

/* The divisor that the modulus has in common with the differences along the next few steps. */
static struct number *divisor_along(struct walk *walk, size_t steps) {
    struct number *product = from_word(1);
    for (size_t i = 0; i < steps; i++) {
        step(walk);
        struct number *distance = difference(walk->ahead, walk->behind);
        replace(&product, multiply_modulo(product, distance, walk->modulus));
        free(distance);
    }
    struct number *divisor = greatest_common_divisor(walk->modulus, product);
    free(product);
    return divisor;
}

/* Walks until a divisor above 1 comes up; it may be the number itself. */
static struct number *divisor_by_walking(const struct number *number, uint32_t offset) {
    struct walk walk = {number, from_word(offset), from_word(2), from_word(2)};
    struct number *divisor = from_word(1);
    for (size_t reach = STEPS_TOGETHER; is_word(divisor, 1); reach *= 2) {
        replace(&walk.behind, copy(walk.ahead));
        for (size_t i = 0; i < reach && is_word(divisor, 1); i += STEPS_TOGETHER)
            replace(&divisor, divisor_along(&walk, STEPS_TOGETHER));
    }
    free(walk.offset);
    free(walk.behind);
    free(walk.ahead);
    return divisor;
}

/* The least divisor within the bound, or zero. */
static uint32_t least_divisor(const struct number *number, uint32_t bound) {
    for (uint32_t word = 2; word <= bound; word++)
        if (is_divisible(number, word))
            return word;
    return 0;
}

/*
 * Small divisors are tried one by one, because a walk soon runs into all of them at once. Larger
 * ones may meet like that too; then the walk ends at the number itself, and another offset is
 * taken.
 */
static struct number *proper_divisor(const struct number *number, uint32_t offset) {
    uint32_t word = least_divisor(number, LARGEST_TRIED);
    if (word)
        return from_word(word);
    struct number *divisor = divisor_by_walking(number, offset);
    while (compare(divisor, number) == 0)
        replace(&divisor, divisor_by_walking(number, ++offset));
    return divisor;
}

/* Multiplies the prime factors of the number into the product. */
static void gather_factors(const struct number *number, uint32_t offset, struct number **product) {
    if (is_prime(number)) {
        replace(product, multiply(*product, number));
        return;
    }
    struct number *cofactor;
    struct number *divisor = proper_divisor(number, offset);
    divide(number, divisor, &cofactor, NULL);
    gather_factors(divisor, offset, product);
    gather_factors(cofactor, offset, product);
    free(divisor);
    free(cofactor);
}

static struct number *mersenne_number(size_t bits) {
    struct number *one = from_word(1);
    struct number *number = from_word(1);
    for (size_t i = 1; i < bits; i++) {
        replace(&number, add(number, number));
        replace(&number, add(number, one));
    }
    free(one);
    return number;
}

int main(int argc, char **argv) {
    const struct argument arguments[] = {
        {"exponent", "n of the 2^n - 1 to be factored", &exponent, 2, NULL},
        {"repeats", "times that it is factored", &repeat_count, 1, NULL},
    };
    (void)argc;
    read_arguments(argv, arguments, ARGUMENT_COUNT(arguments));

    double start = seconds_now();
    struct number *number = mersenne_number(exponent);
    for (size_t i = 0; i < repeat_count; i++) {
        struct number *product = from_word(1);
        gather_factors(number, (uint32_t)i + 1, &product);
        CHECK(compare(product, number) == 0, "the product of the factors is the number");
        free(product);
    }
    free(number);
    double seconds = seconds_now() - start;

    printf("smallobjects: %.2f million objects/s (%zu objects, %.2f s)\n",
           (double)objects / seconds * 1e-6, objects, seconds);
    return 0;
}
