"""Ask for what the ledger does not know yet, once, and write down what came of it.

In: points, or pictures that are wanted. Out: answers, and pictures in the store. All requests of one phase of one
shard share one engine, which counts them; what all shards share is opened by office.py.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from geolocate.collection.entries import FINAL, Caps, Charge, ImageKey, ImageRow, SearchKey, Settlement
from geolocate.collection.keeping import Answer, Keeper
from geolocate.collection.ledger import Ledger
from geolocate.collection.quota import quota_used_up
from geolocate.collection.records import CollectRequest, Progress
from geolocate.collection.throttle import StoppedError, Throttle
from geolocate.collection.verifying import is_intact
from geolocate.collection.writer import LedgerWriter
from geolocate.errors import GeolocateError, ProviderError
from geolocate.providers import Provider, QuotaError, RefusedError, ThrottledError, UnreachableError
from geolocate.records import ImageReason, Miss, Panorama, SamplePoint
from geolocate.storage import DataRoot

log = logging.getLogger(__name__)
Item = TypeVar("Item")
T = TypeVar("T")
#: How often a picture that another process is just fetching is looked at again, in seconds.
_HELD_S = 0.2


@dataclass
class Sent:
    """What this run asked for, and what it found there already."""

    metadata: int = 0
    images: int = 0
    reused: int = 0
    bytes: int = 0
    micro_usd: int = 0


@dataclass(frozen=True, slots=True)
class Desk:
    """What all shards of a run share: whom they ask, how many at once, and who writes it down."""

    provider: Provider
    writer: LedgerWriter
    keeper: Keeper
    limit: asyncio.Semaphore


class Engine:
    """Everything that a phase of one shard needs to ask; made by Office.engine."""

    def __init__(self, root: DataRoot, request: CollectRequest, desk: Desk, throttle: Throttle) -> None:
        self.provider = desk.provider
        self.throttle = throttle
        self.sent = Sent()
        #: The pictures that were kept once and are no longer what was kept.
        self.damaged: set[ImageKey] = set()
        self._root = root
        self._request = request
        self._writer = desk.writer
        self._keeper = desk.keeper
        self._limit = desk.limit
        self._caps = caps_of(request)
        self._capped = False

    # Searches.

    async def find(self, points: Sequence[SamplePoint], progress: Progress) -> list[Panorama | Miss | None]:
        """Return an answer for each point, from the ledger or from the provider; None where none was to be had."""
        keys = [self._search_key(point) for point in points]
        answers = await self._writer.do(lambda ledger: ledger.answers(keys))
        missing = [place for place, answer in enumerate(answers) if answer is None]
        self.sent.reused += len(points) - len(missing)

        async def ask(place: int) -> None:
            answers[place] = await self._ask(points[place])

        await self.each(missing, ask, progress)
        return answers

    async def _ask(self, point: SamplePoint) -> Panorama | Miss | None:
        attempt = throttled = 0
        while attempt < self._request.pace.attempts and throttled < self._request.pace.quota_pauses:
            try:
                async with self.throttle.slot():
                    return await self._ask_once(point)
            except ThrottledError:
                throttled += 1
                continue
            except (UnreachableError, RefusedError):
                attempt += 1
            await asyncio.sleep(self.throttle.back_off_s(attempt))
        return None

    async def _ask_once(self, point: SamplePoint) -> Panorama | Miss:
        self.sent.metadata += 1
        name = self._request.name
        try:
            answer = await _without_surprise(self.provider.find(point))
        except QuotaError as error:
            self._stop(error)
        except (UnreachableError, RefusedError, ThrottledError) as error:
            self._failed(error)
            await self._writer.do(lambda ledger: ledger.count_metadata(name))
            raise
        self.throttle.answered()
        key = self._search_key(point)
        await self._writer.do(lambda ledger: ledger.record_answer(key, answer, name))
        return answer

    # Pictures.

    def image_keys(self, panorama: Panorama) -> list[ImageKey]:
        """Return the ledger's keys of all views of a panorama, companions left out."""
        views = panorama.views(self._request.views)
        return [ImageKey(self.provider.realm, panorama.provider, panorama.source_id, view) for view in views]

    async def known(self, keys: Sequence[ImageKey]) -> list[ImageRow | None]:
        """Return what the ledger knows of the pictures; one whose file is gone or damaged may be asked for again."""
        rows = await self._writer.read(lambda ledger: ledger.images(keys))
        damaged = await asyncio.to_thread(self._find_damaged, keys, rows)
        if not damaged:
            return rows
        for key in damaged:
            log.warning("picture %s is gone from the store or damaged: asking for it again", key.image_id)
        self.damaged |= set(damaged)

        def reopen(ledger: Ledger) -> None:
            for key, row in damaged.items():
                # Another process may have mended it in the meantime.
                if ledger.image(key) == row:
                    ledger.reopen(key)

        await self._writer.do(reopen)
        return await self._writer.read(lambda ledger: ledger.images(keys))

    def _find_damaged(self, keys: Sequence[ImageKey], rows: Sequence[ImageRow | None]) -> dict[ImageKey, ImageRow]:
        pairs = zip(keys, rows, strict=True)
        return {key: row for key, row in pairs if row and row.state == "kept" and not self._is_intact(row)}

    def _is_intact(self, row: ImageRow) -> bool:
        return is_intact(self._root, str(row.sha256), row.bytes or 0, self._request.verify)

    async def fetch(self, key: ImageKey, panorama: Panorama) -> ImageRow | ImageReason:
        """Ask for one picture until it is there, or no further attempt helps; return its row or why there is none."""
        pace = self._request.pace
        attempt = paid = throttled = 0
        reason = ImageReason.UNREACHABLE
        while attempt < pace.attempts and paid < pace.paid_attempts and throttled < pace.quota_pauses:
            if self._capped:
                return ImageReason.OVER_BUDGET
            try:
                got = await self._attempt(key, panorama)
            except ThrottledError:
                throttled += 1
                continue
            if got is None:
                # Whoever comes after need not take a turn to learn it.
                self._capped = True
                return ImageReason.OVER_BUDGET
            if isinstance(got, Settlement):
                attempt, paid = attempt + 1, paid + got.billed
                reason = got.reason or reason
                await asyncio.sleep(self.throttle.back_off_s(attempt))
            elif got.state in FINAL:
                return got
            else:
                await self._wait_while_held(key)
        return reason

    async def _wait_while_held(self, key: ImageKey) -> None:
        """Wait until nobody else is on their way for the picture; looking takes no turn."""
        held = True
        while held:
            await asyncio.sleep(_HELD_S)
            held = await self._writer.read(lambda ledger: ledger.is_held(key))

    async def _attempt(self, key: ImageKey, panorama: Panorama) -> ImageRow | Settlement | None:
        """Make one attempt at a picture.

        Returns its row where its fate is known or another session has claimed it, a settlement that left it open, or
        None where a cap is reached.
        """
        async with self.throttle.slot():
            got = await self._reserve(key)
            if not isinstance(got, Charge):
                return got
            return await self._send(got, panorama)

    async def _reserve(self, key: ImageKey) -> Charge | ImageRow | None:
        """Claim a picture; raise StoppedError where the provider gives no more of them today."""
        name, price, caps = self._request.name, self.provider.price_micro_usd, self._caps
        limit = self.provider.images_a_day

        def reserve(ledger: Ledger) -> Charge | ImageRow | QuotaError | None:
            got = ledger.reserve(name, key, price, caps)
            if limit is None or not isinstance(got, Charge) or ledger.spend_today(f"{key.provider} images", limit):
                return got
            ledger.settle(got, Settlement("open", billed=False, reason=ImageReason.OVER_QUOTA))
            return quota_used_up(f"images of {key.provider}", limit)

        got = await self._writer.do(reserve)
        if isinstance(got, QuotaError):
            self._stop(got)
        return got

    async def _send(self, charge: Charge, panorama: Panorama) -> ImageRow | Settlement:
        """Send one reserved request and settle it, whatever comes of it; return the settlement where it stays open."""
        self.sent.images += 1
        try:
            picture = await _without_surprise(self.provider.fetch(panorama, charge.key.view))
        except (UnreachableError, RefusedError, ThrottledError) as error:
            self._failed(error)
            billed = isinstance(error, UnreachableError) and error.billable
            result = Settlement("open", billed=billed, reason=_REASONS[type(error)])
            await self._settle(charge, result)
            if isinstance(error, ThrottledError):
                raise
            return result
        result = await self._keeper.keep(Answer(picture, charge.key.view, panorama.rights))
        row = await self._settle(charge, result)
        if result.state == "open":
            self.throttle.useless(result.reason or ImageReason.UNREACHABLE)
        else:
            self.throttle.answered()
        return row if row.state in FINAL else result

    async def _settle(self, charge: Charge, result: Settlement) -> ImageRow:
        self.sent.bytes += result.bytes
        if result.billed:
            self.sent.micro_usd += charge.micro_usd
        else:
            self._capped = False
        row = await self._writer.do(lambda ledger: ledger.settle(charge, result))
        if row.state == "forgotten" and result.sha256:
            await self._erase(result.sha256)
        return row

    async def _erase(self, sha256: str) -> None:
        """Take a picture out of the store again that was forgotten while it was on its way."""
        if not await self._writer.read(lambda ledger: ledger.is_kept(sha256)):
            self._root.image(sha256).unlink(missing_ok=True)

    # Both.

    def _stop(self, error: ProviderError) -> NoReturn:
        self.throttle.stop(error)
        raise StoppedError(str(error)) from None

    async def each(self, items: Sequence[Item], work: Callable[[Item], Awaitable[None]], progress: Progress) -> None:
        """Work on all items, a limited number at a time; what is left when the provider stops us stays undone.

        After an error no further item is begun; requests on their way may have been paid for, so that they are waited
        for and written down. Raises the first error then, preferring one that a user can mend.
        """
        todo = iter(items)
        errors: list[Exception] = []
        done = 0

        async def worker() -> None:
            nonlocal done
            for item in todo:
                if errors:
                    return
                try:
                    async with self._limit:
                        await work(item)
                except StoppedError:
                    pass
                except Exception as error:
                    errors.append(error)
                    # Other shards would find out by themselves, each with what it has under way: a full disk, say.
                    self.throttle.stop(ProviderError(_told(error)))
                done += 1
                progress(done, len(items))

        await asyncio.gather(*[worker() for _ in range(min(self._request.concurrency, len(items)))])
        if errors:
            raise next((error for error in errors if isinstance(error, GeolocateError)), errors[0])

    def check(self) -> None:
        """Raise StoppedError when not everything could be asked; to be called once what is done is written down."""
        if self.throttle.broken is not None:
            raise StoppedError(str(self.throttle.broken))

    def _failed(self, error: ProviderError) -> None:
        self.throttle.failed(error)
        log.debug("%s", error)

    def _search_key(self, point: SamplePoint) -> SearchKey:
        return SearchKey.of(point, self.provider.name, self.provider.realm, self.provider.source)


_REASONS: dict[type[ProviderError], ImageReason] = {
    UnreachableError: ImageReason.UNREACHABLE,
    ThrottledError: ImageReason.UNREACHABLE,
    RefusedError: ImageReason.REFUSED,
}


def caps_of(request: CollectRequest) -> Caps:
    """Return the caps in the ledger's unit."""
    return Caps(None if request.budget_usd is None else round(request.budget_usd * 1_000_000), request.max_images)


def _told(error: Exception) -> str:
    """Say what went wrong; the words of other people's errors may hold an address, and with it a key."""
    return str(error) if isinstance(error, GeolocateError) else type(error).__name__


async def _without_surprise(asking: Awaitable[T]) -> T:
    """Let no odd answer that a provider stumbles over end a run of thousands: it counts as no answer."""
    try:
        return await asking
    except GeolocateError:
        raise
    except Exception as error:
        # Its words may hold an address, and with it a key.
        log.warning("an answer that the program does not understand (%s)", type(error).__name__)
        raise UnreachableError(f"an answer that the program does not understand ({type(error).__name__})") from None
