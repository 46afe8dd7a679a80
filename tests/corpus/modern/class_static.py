"""Two addons, one of them a class with static methods, both called alike."""


class Marker:
    @staticmethod
    def request(flow):
        flow.request.headers["x-static"] = "1"


def make():
    class Marker:  # noqa: F811
        def response(self, flow):
            flow.response.headers["x-instance"] = "2"

        name = "other-marker"

    return Marker()


addons = [Marker, make()]
