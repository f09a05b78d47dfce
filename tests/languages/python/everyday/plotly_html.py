import plotly.graph_objects as go

figure = go.Figure(go.Bar(x=["a", "b"], y=[1, 2]))
figure.write_html("plot.html", include_plotlyjs="cdn")
print("plotly" in open("plot.html").read(), len(figure.to_dict()["data"]))
# Output:
# True 1
