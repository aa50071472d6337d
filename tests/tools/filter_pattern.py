# SPDX-License-Identifier: Apache-2.0
"""CloudWatch Logs' filter patterns for JSON events, as its user guide describes them: { ($.a.b[0] = "text*") && ($.c NOT EXISTS) || ... }.
&& binds tighter than ||; * stands for anything in a text. A selector that leads nowhere fails every comparison but NOT EXISTS; whether != holds
then is not written down, so Pattern takes it as an argument."""
import re

TOKEN = re.compile(r'\s*(\$[\w.\[\]-]*|&&|\|\||!=|>=|<=|[=<>(){}]|"(?:[^"\\]|\\.)*"|NOT|EXISTS|IS|NULL|TRUE|FALSE|[\w.*:/-]+)')
NOWHERE = object()
LIMIT = 1024  # characters of a pattern


def tokens(text):
    at, out = 0, []
    text = text.rstrip()
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise ValueError(f'no filter pattern from {text[at:at + 20]!r} on')
        out.append(m[1])
        at = m.end()
    return out


def select(event, selector):
    for name, index in re.findall(r'\.([\w-]+)|\[(\d+)\]', selector):
        if name:
            event = event.get(name, NOWHERE) if isinstance(event, dict) else NOWHERE
        else:
            event = event[int(index)] if isinstance(event, list) and int(index) < len(event) else NOWHERE
    return event


class Pattern:
    def __init__(self, text, nowhere_differs=True):
        if len(text) > LIMIT:
            raise ValueError(f'{len(text)} characters, and {LIMIT} are the most')
        self.left, self.nowhere_differs = tokens(text), nowhere_differs
        self.take('{')
        self.tree = self.either()
        self.take('}')
        if self.left:
            raise ValueError(f'after the end: {self.left[0]}')

    def take(self, *wanted):
        if not self.left or wanted and self.left[0] not in wanted:
            raise ValueError(f'{" or ".join(wanted) or "more"} was expected, not {self.left[:1]}')
        return self.left.pop(0)

    def either(self):
        parts = [self.all()]
        while self.left[:1] == ['||']:
            self.take()
            parts.append(self.all())
        return lambda e: any(p(e) for p in parts)

    def all(self):
        parts = [self.one()]
        while self.left[:1] == ['&&']:
            self.take()
            parts.append(self.one())
        return lambda e: all(p(e) for p in parts)

    def one(self):
        if self.left[:1] == ['(']:
            self.take()
            inner = self.either()
            self.take(')')
            return inner
        selector, operator = self.take(), self.take('=', '!=', '<', '>', '<=', '>=', 'NOT', 'IS')
        if not selector.startswith('$'):
            raise ValueError(f'a selector begins with $: {selector}')
        if operator == 'NOT':
            self.take('EXISTS')
            return lambda e: select(e, selector) is NOWHERE
        if operator == 'IS':
            wanted = {'NULL': None, 'TRUE': True, 'FALSE': False}[self.take('NULL', 'TRUE', 'FALSE')]
            return lambda e: select(e, selector) is wanted
        value = self.take()
        if operator in ('=', '!='):
            text = value[1:-1] if value.startswith('"') else value
            like = re.compile('.*'.join(map(re.escape, text.split('*'))), re.S)
            same = lambda e: select(e, selector) is not NOWHERE and like.fullmatch(str(select(e, selector))) is not None
            return same if operator == '=' else lambda e: not same(e) and (self.nowhere_differs or select(e, selector) is not NOWHERE)
        number, compare = float(value), {'<': float.__lt__, '>': float.__gt__, '<=': float.__le__, '>=': float.__ge__}[operator]
        return lambda e: isinstance(select(e, selector), (int, float)) and compare(float(select(e, selector)), number)

    def matches(self, event):
        return self.tree(event)
